"""Putting events on the bus: in batches that EventBridge takes, and again what it did not take."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from ticketing.event_bus import BusEvent, EventBridgeBus


class Client:
    """Takes entries, but not those it was told to refuse, each so many times."""

    def __init__(self, refuse: dict[str, int] | None = None, away: int = 0) -> None:
        self.refuse, self.away = refuse or {}, away
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- boto3's name
        self.calls.append(Entries)
        if self.away:
            self.away -= 1
            raise EndpointConnectionError(endpoint_url="https://events.example")
        answers = []
        for entry in Entries:
            left = self.refuse.get(entry["Detail"], 0)
            self.refuse[entry["Detail"]] = left - 1
            answers.append({"ErrorCode": "ThrottlingException"} if left > 0 else {"EventId": "1"})
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


def put(client: Client, details: list[str]) -> list[bool]:
    bus = EventBridgeBus(client, "default", sleep=lambda _: None)  # type: ignore[arg-type]
    results = bus.put([BusEvent(detail_type="checkout.session.completed", detail=detail) for detail in details])
    return [result.taken for result in results]


def test_ten_entries_a_call_with_the_source_that_the_rule_expects() -> None:
    client = Client()
    assert put(client, [str(number) for number in range(23)]) == [True] * 23
    assert [len(call) for call in client.calls] == [10, 10, 3]
    entry = client.calls[0][0]
    assert (entry["Source"], entry["DetailType"]) == ("stripe.com", "checkout.session.completed")
    assert entry["EventBusName"] == "default"


def test_a_call_stays_below_eventbridges_bytes() -> None:
    client = Client()
    assert put(client, ["x" * 100_000] * 5) == [True] * 5
    assert [len(call) for call in client.calls] == [2, 2, 1]


def test_only_what_was_not_taken_is_put_again() -> None:
    client = Client(refuse={"b": 2})
    assert put(client, ["a", "b", "c"]) == [True] * 3
    assert [[entry["Detail"] for entry in call] for call in client.calls] == [["a", "b", "c"], ["b"], ["b"]]


def test_what_is_never_taken_is_said() -> None:
    assert put(Client(refuse={"b": 99}), ["a", "b"]) == [True, False]


@pytest.mark.parametrize(("away", "taken"), [(2, True), (99, False)])
def test_a_bus_that_cannot_be_reached_is_tried_again(away: int, taken: bool) -> None:
    assert put(Client(away=away), ["a"]) == [taken]


def test_an_event_that_is_too_large_is_not_tried_and_keeps_no_other_from_the_bus() -> None:
    client = Client()
    assert put(client, ["a", "x" * 300_000, "b"]) == [True, False, True]
    assert [[entry["Detail"] for entry in call] for call in client.calls] == [["a", "b"]]
