"""Our account's event bus, as reconciliation uses it (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ticketing.reconciliation.made_events import WorkflowEvent
from ticketing.stripe.events import OWN_SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

# What PutEvents takes in one call: so many entries, so many bytes; less some for what surrounds a detail.
_MOST_ENTRIES: Final = 10
_MOST_BYTES: Final = 250 * 1024
_ENTRY_BYTES: Final = 256
_TRIES: Final = 5


class EventBridgeBus:
    """Puts events on an event bus, in batches, and again those that EventBridge did not take."""

    def __init__(
        self, client: EventBridgeClient, bus_name: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take boto3's client and the bus."""
        self._client = client
        self._bus_name = bus_name
        self._sleep = sleep

    def put(self, events: Sequence[WorkflowEvent]) -> list[bool]:
        """Put events there, and say of each whether it was taken in the end."""
        taken = [False] * len(events)
        for failed in range(_TRIES):
            left = [place for place, done in enumerate(taken) if not done]
            if not left:
                break
            if failed:
                self._sleep(random.uniform(0, 0.25 * 2**failed))  # noqa: S311 -- jitter, no secret
            for batch in _batches(events, left):
                for place, done in zip(batch, self._put_batch([events[place] for place in batch]), strict=True):
                    taken[place] = done
        return taken

    def _put_batch(self, events: Sequence[WorkflowEvent]) -> list[bool]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- slow to import

        entries: list[Any] = [
            {
                "Source": OWN_SOURCE,
                "DetailType": event.event_type,
                "Detail": event.detail,
                "EventBusName": self._bus_name,
            }
            for event in events
        ]
        try:
            answer = self._client.put_events(Entries=entries)
        except (BotoCoreError, ClientError):
            return [False] * len(events)
        if not answer["FailedEntryCount"]:
            return [True] * len(events)
        # In the order of the request; what failed has a code and no id.
        return ["ErrorCode" not in entry for entry in answer["Entries"]]


def _batches(events: Sequence[WorkflowEvent], places: Sequence[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    size = 0
    for place in places:
        length = len(events[place].detail.encode()) + _ENTRY_BYTES
        if not batches or len(batches[-1]) == _MOST_ENTRIES or size + length > _MOST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(place)
        size += length
    return batches


def client() -> EventBridgeClient:
    """Give boto3's client, with time-outs that leave room to try again."""
    import boto3  # noqa: PLC0415 -- slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    return boto3.client(
        "events",
        config=Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}),
    )
