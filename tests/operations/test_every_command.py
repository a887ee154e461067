"""Every command: it may do at AWS what it does and no more, shows that it waits, and can be interrupted anywhere.

Which commands there are is read from the parser of arguments. Calls are recorded where boto3 sends them, on the local
cloud reached as AWS is.
"""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from typer.testing import Result

from cachao.policy.document import document
from cachao.policy.needs import ALWAYS, NEEDS, Need
from cachao.problems import INTERRUPTED
from cachao.view import output
from cachao.view.foreign_text import SafeConsole
from local.aws.cloud import LocalCloud
from tests.operations.deployment import deployment
from tests.operations.doctor.test_doctor_rules import other_machine
from tests.operations.every_command import SCENARIOS, Scenario, Stage, commands, recorder
from tests.operations.recorded import Recorder, allows
from tests.operations.test_commands import doubly_paid
from tests.operations.test_new_shop import _without_new_users
from tests.sizes import size

__all__ = ["_without_new_users", "deployment", "doubly_paid", "other_machine", "recorder"]

# These go on showing things until they are interrupted: tests of their own.
UNTIL_CTRL_C = {"watch", "page"}
SAID = sorted(set(NEEDS) - UNTIL_CTRL_C)
LONG = ["doctor", "event", "migrate", "reconcile", "refund --event", "replay"]


def test_every_command_is_tried() -> None:
    assert {said.partition(" --")[0] for said in SAID} | UNTIL_CTRL_C == set(commands())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> SafeConsole:
    """Where notes and progress go is a terminal."""
    made = SafeConsole(file=io.StringIO(), force_terminal=True, width=120)
    original = output._console

    def console(*, no_color: bool, stderr: bool) -> Any:
        return made if stderr else original(no_color=no_color, stderr=stderr)

    monkeypatch.setattr(output, "_console", console)
    return made


@pytest.fixture
def stage(
    recorder: Recorder,
    terminal: SafeConsole,
    cloud: LocalCloud,
    request: pytest.FixtureRequest,
) -> Stage:
    return Stage(recorder, cloud, request)


@pytest.mark.parametrize("said", sorted(NEEDS))
def test_it_makes_the_calls_that_its_policy_allows_and_needs_and_shows_that_it_waits(
    said: str, stage: Stage, terminal: SafeConsole
) -> None:
    unseen: list[str] = []

    def look(action: str) -> None:
        if not terminal.is_drawing:
            unseen.append(action)

    stage.recorder.on_call = look
    SCENARIOS[said](stage)
    assert unseen == [] or said in UNTIL_CTRL_C
    made = set(stage.recorder.calls)
    assert {call for call in made if not allows(document((*ALWAYS, *NEEDS[said]), stage.stack), call)} == set()
    in_vain = [
        (need.place.called, action)
        for need in (*ALWAYS, *NEEDS[said])
        for action in need.actions
        if not any(allows(document([Need(need.place, (action,))], stage.stack), call) for call in made)
    ]
    assert in_vain == []


@pytest.mark.parametrize("said", size(LONG, SAID))
def test_it_can_be_interrupted_anywhere_and_said_again(said: str, stage: Stage, terminal: SafeConsole) -> None:
    SCENARIOS[said](stage)
    calls = stage.recorder.number
    for _ in range(size(1, 4)):
        interrupted = interrupt_somewhere(stage, SCENARIOS[said], calls)
        told = terminal.file.getvalue()  # type: ignore[attr-defined]
        assert interrupted.exit_code == INTERRUPTED or "Stopped waiting" in told, interrupted
        assert "Traceback" not in told
        assert not terminal.is_drawing


def interrupt_somewhere(stage: Stage, play: Scenario, calls: int) -> Result:
    """Press Ctrl-C before one of so many calls; give the result of the command that was interrupted."""
    # Said again it has less to do, and may make fewer calls; the first one it makes in any case.
    for place in (random.randrange(calls // 2 + 1), 0):
        stage.cloud.lambdas.interceptors.clear()
        ctrl_c = CtrlC(stage, place)
        stage.recorder.on_call = ctrl_c
        play(stage)
        if ctrl_c.interrupted is not None:
            return stage.results[ctrl_c.interrupted]
    raise AssertionError


class CtrlC:
    """Interrupts before a call; `interrupted` is which of the results that was."""

    def __init__(self, stage: Stage, place: int) -> None:
        self._stage = stage
        self._left = place
        self.interrupted: int | None = None

    def __call__(self, _action: str) -> None:
        self._left -= 1
        if self._left == -1:
            self.interrupted = len(self._stage.results)
            raise KeyboardInterrupt
