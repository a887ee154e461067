"""Every state and every edge of the state machine is taken by some scenario, and each ends as it must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import Ended, Play
from tests.workflow.scenarios import SCENARIOS

DEFINITION = yaml.safe_load((Path(__file__).parents[2] / "statemachine" / "ticket_payment.asl.yaml").read_text())


def machines(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself, the machine of each branch of a Parallel state, and that of each item of a Map."""
    yield definition
    for state in definition["States"].values():
        within = [*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]
        for branch in within:
            yield from machines(branch)


@dataclass(frozen=True, order=True)
class Edge:
    """A way out of a state: `Next`, `Default`, `Choices 1`, `Catch 1` and so on."""

    state: str
    way: str
    target: str

    @property
    def told(self) -> tuple[str, bool, str]:
        """What an execution's history says of it: where it begins, whether an error took it, where it leads."""
        return self.state, self.way.startswith("Catch"), self.target


def edges_of(name: str, state: dict[str, Any]) -> Iterator[Edge]:
    for way in ("Next", "Default"):
        if way in state:
            yield Edge(name, way, state[way])
    for ways in ("Choices", "Catch"):
        for number, edge in enumerate(state.get(ways, ()), 1):
            yield Edge(name, f"{ways} {number}", edge["Next"])


STATES = sorted(name for machine in machines(DEFINITION) for name in machine["States"])
EDGES = sorted(
    edge
    for machine in machines(DEFINITION)
    for name, state in machine["States"].items()
    for edge in edges_of(name, state)
)


def edges_taken(ended: Ended) -> set[tuple[str, bool, str]]:
    """What the history tells of the edges that were taken (`Edge.told`)."""
    by_id = {event["id"]: event for event in ended.history}
    taken = set()
    for event in ended.history:
        if entered := event.get("stateEnteredEventDetails"):
            exit_of = by_id.get(event.get("previousEventId", 0), {})
            left = exit_of.get("stateExitedEventDetails")
            if left is not None:  # else it is where the machine or a branch begins
                last = by_id[exit_of["previousEventId"]]["type"]
                taken.add((left["name"], last.endswith(("Failed", "TimedOut")), entered["name"]))
    return taken


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_ends_as_it_must(name: str, play: Play) -> None:
    ended = play(name).ended
    _, status, error = SCENARIOS[name]
    assert ended.status == status, (ended.error, ended.cause)
    if error not in {None, "*"}:
        assert ended.error == error, ended.cause
    told = play(name).alerts
    is_told = "TellOperators" in ended.states and status == "SUCCEEDED"
    cannot_tell = name in {"alert cannot be sent", "dispute cannot be told"}
    assert len(told) == (1 if (status == "FAILED" and not cannot_tell) or is_told else 0)
    for alert in told:
        assert "example.com" not in alert["Message"], "the buyer's e-mail is in an alert"
        assert "Jenny" not in alert["Message"], "the buyer's name is in an alert"
        assert alert["Subject"].isascii()
        assert len(alert["Subject"]) < 100
        assert set(alert["MessageAttributes"]) == {"error", "order", "step", "stack", "livemode"}
        assert alert["MessageAttributes"]["stack"]["Value"] == "cachao-local"
        assert "\nStack: cachao-local in " in alert["Message"]
        assert "What to do now: " in alert["Message"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_state_is_entered(play: Play) -> None:
    entered = {state for name in SCENARIOS for state in play(name).ended.states}
    assert sorted(set(STATES) - entered) == []


def test_a_history_tells_every_edge_from_every_other() -> None:
    # Two choices with one target, or a choice and the default: a history could not say which of them was taken.
    alike = Counter(edge.told for edge in EDGES)
    assert [edge for edge in EDGES if alike[edge.told] > 1] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_edge_is_taken(play: Play) -> None:
    taken = {told for name in SCENARIOS for told in edges_taken(play(name).ended)}
    assert [edge for edge in EDGES if edge.told not in taken] == []
