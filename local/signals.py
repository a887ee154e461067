"""Makes every way of ending a command as clean as Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130  # what shells give for a command that Ctrl-C ended


class StopAskedError(KeyboardInterrupt):
    """A signal asked to stop; handled wherever KeyboardInterrupt is.

    A class of its own, because before Python 3.13 a plain KeyboardInterrupt that passes through `exec` of a text, as
    every import of a dataclass does, makes the interpreter end itself by SIGINT, although it was caught.
    """


stop_asked = threading.Event()
_pending = threading.Event()
_undisturbed_depth = 0


def stop_as_by_ctrl_c() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, so that what was started is stopped and removed.

    SIGINT, too: a command that a script started in the background ignores it otherwise. Whoever waits for nothing
    but a signal looks at `stop_asked`: one that comes inside a library's clean-up is swallowed there.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep a signal until the block has ended: what is half started, or half stopped, cannot be put away.

    Raises:
        KeyboardInterrupt: one came meanwhile; whatever else the block raised goes with it as its context.
    """
    global _undisturbed_depth  # noqa: PLW0603 -- signals, too, are the process's, and handled in one thread
    _undisturbed_depth += 1
    try:
        yield
    finally:
        _undisturbed_depth -= 1
        if _undisturbed_depth == 0:
            stop_if_asked()


def stop_if_asked() -> None:
    """Give in to a signal that is being kept; for long waits in an undisturbed block.

    Raises:
        KeyboardInterrupt: there is one.
    """
    if _pending.is_set():
        _pending.clear()
        raise StopAskedError


def _stop(_number: int, _frame: FrameType | None) -> None:
    stop_asked.set()
    if _undisturbed_depth:
        _pending.set()
        return
    raise StopAskedError
