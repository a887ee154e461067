"""Every state and every edge of the state machine is taken by some scenario, and each ends as it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.workflow.conftest import Ended, Run
from tests.workflow.scenarios import SCENARIOS, Scene
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
DEFINITION = yaml.safe_load((Path(__file__).parents[2] / "statemachine" / "ticket_payment.asl.yaml").read_text())


def machines(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself, and the machine of each branch of a Parallel state."""
    yield definition
    for state in definition["States"].values():
        for branch in state.get("Branches", ()):
            yield from machines(branch)


def targets(state: dict[str, Any]) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for edge in [*state.get("Catch", ()), *state.get("Choices", ())]:
        yield edge["Next"]


STATES = sorted(name for machine in machines(DEFINITION) for name in machine["States"])
EDGES = sorted(
    {
        (name, target)
        for machine in machines(DEFINITION)
        for name, state in machine["States"].items()
        for target in targets(state)
    }
)

_played: dict[str, Ended] = {}
_alerts: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture
def play(
    cloud: LocalCloud, database: Database, run: Run, stripe_stand_in: StripeStandIn, alerts: Alerts
) -> Callable[[str], Ended]:
    """Play a scenario, once in a session: its ending and its alerts are kept."""

    def play_once(name: str) -> Ended:
        if name not in _played:
            before = len(alerts())
            _played[name] = SCENARIOS[name][0](Scene(cloud, database, run, stripe_stand_in))
            _alerts[name] = alerts()[before:]
        return _played[name]

    return play_once


def edges_taken(ended: Ended) -> set[tuple[str, str]]:
    """Pairs of a state that was left and the one that was entered next."""
    by_id = {event["id"]: event for event in ended.history}
    taken = set()
    for event in ended.history:
        if entered := event.get("stateEnteredEventDetails"):
            left = by_id.get(event.get("previousEventId", 0), {}).get("stateExitedEventDetails")
            if left is not None:  # else it is where the machine or a branch begins
                taken.add((left["name"], entered["name"]))
    return taken


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_ends_as_it_must(name: str, play: Callable[[str], Ended]) -> None:
    ended = play(name)
    _, status, error = SCENARIOS[name]
    assert ended.status == status, (ended.error, ended.cause)
    if error not in {None, "*"}:
        assert ended.error == error, ended.cause
    told = _alerts[name]
    is_dispute = "TellOperatorsOfDispute" in ended.states and status == "SUCCEEDED"
    cannot_tell = name in {"alert cannot be sent", "dispute cannot be told"}
    assert len(told) == (1 if (status == "FAILED" and not cannot_tell) or is_dispute else 0)
    for alert in told:
        assert "example.com" not in alert["Message"], "the buyer's e-mail is in an alert"
        assert "Jenny" not in alert["Message"], "the buyer's name is in an alert"
        assert alert["Subject"].isascii()
        assert len(alert["Subject"]) <= 100
        assert set(alert["MessageAttributes"]) == {"error", "order", "step", "livemode"}
        assert "What to do now: " in alert["Message"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_state_is_entered(play: Callable[[str], Ended]) -> None:
    entered = {state for name in SCENARIOS for state in play(name).states}
    assert sorted(set(STATES) - entered) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_edge_is_taken(play: Callable[[str], Ended]) -> None:
    taken = {edge for name in SCENARIOS for edge in edges_taken(play(name))}
    assert sorted(set(EDGES) - taken) == []
