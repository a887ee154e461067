import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local.signals import stop_as_by_ctrl_c, stop_asked, stop_if_asked, undisturbed
from tests.local.conftest import environment_for_python

# Importing a dataclass is such an `exec`.
STOPPED_INSIDE_EXEC = """
from local.signals import stop_as_by_ctrl_c
stop_as_by_ctrl_c()
try:
    exec("import signal; signal.raise_signal(signal.SIGTERM)")
except KeyboardInterrupt:
    if {plain}:
        try:
            exec("raise KeyboardInterrupt")
        except KeyboardInterrupt:
            pass
"""
STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _signals_of_this_test_only() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOPPING}
    stop_as_by_ctrl_c()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stop_asked.clear()


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_ends_what_runs(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert stop_asked.is_set()


def test_a_signal_waits_until_what_is_undisturbed_has_ended() -> None:
    done = []

    @undisturbed()
    def work() -> None:
        with undisturbed():
            signal.raise_signal(signal.SIGTERM)
            done.append("the inner block")
        done.append("the outer block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the inner block", "the outer block"]


def test_a_long_wait_gives_in_to_a_signal() -> None:
    with undisturbed():
        stop_if_asked()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()


def test_a_signal_is_told_once() -> None:
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGTERM)
    with undisturbed():
        pass
    stop_if_asked()


def test_what_broke_because_of_a_signal_is_no_error_of_its_own() -> None:
    @undisturbed()
    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        raise RuntimeError("a child that the same Ctrl-C ended")

    with pytest.raises(KeyboardInterrupt) as raised:
        work()
    assert isinstance(raised.value.__context__, RuntimeError)


def test_what_was_stopped_ends_as_it_wants_to() -> None:
    assert _exit_code(STOPPED_INSIDE_EXEC.format(plain=False)) == 0


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python has mended it")
def test_a_plain_keyboard_interrupt_would_end_it_by_sigint() -> None:
    """The control."""
    assert _exit_code(STOPPED_INSIDE_EXEC.format(plain=True)) == -signal.SIGINT


def _exit_code(program: str) -> int:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment_for_python(), timeout=60, check=False).returncode
