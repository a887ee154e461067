"""Puts events on an event bus of Amazon EventBridge (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).

The one place that knows PutEvents: the webhook, the reconciliation and `cachao event` hand their events to it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ticketing.stripe.event_types import OWN_SOURCE
from ticketing.stripe.thin_events import as_thin

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

# What Step Functions takes as an execution's input is 256 KB, and PutEvents takes no less in one call (since January
# 2026 1 MB): so many bytes are left of it for an event's detail
# (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html).
LARGEST_DETAIL: Final = 256 * 1024 - 2048
_MOST_BYTES: Final = 256 * 1024 - 1024
_MOST_ENTRIES: Final = 10
# What surrounds a detail, at most.
_ENTRY_BYTES: Final = 256
_TRIES: Final = 5
_TOO_LARGE: Final = "TooLarge"
# EventBridge's own words for an entry that it will never take.
_FINAL: Final = frozenset({_TOO_LARGE, "InvalidArgument", "MalformedDetail"})


class BusEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as PutEvents takes it; `detail` is JSON text. Those that the shop puts there itself have its source."""

    detail_type: str
    detail: str
    source: str = OWN_SOURCE
    resources: tuple[str, ...] = ()


class PutResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an event: its id at EventBridge, or the error code and the message with which it was refused."""

    event_id: str | None = None
    error: str = ""
    message: str = ""

    @property
    def taken(self) -> bool:
        """Tell whether EventBridge has the event."""
        return self.event_id is not None

    @property
    def is_final(self) -> bool:
        """Tell whether this event would be refused again."""
        return self.error in _FINAL


class EventBus(Protocol):
    """Where events are put: `EventBridgeBus`."""

    def put(self, events: Sequence[BusEvent]) -> list[PutResult]:
        """Put events there, and say of each what became of it."""


class EventBridgeBus:
    """One event bus, by boto3's client."""

    def __init__(
        self,
        client: EventBridgeClient,
        bus_name: str,
        *,
        tries: int = _TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take boto3's client, the bus, and how often an event is put that EventBridge does not take."""
        self._client = client
        self._bus_name = bus_name
        self._tries = tries
        self._sleep = sleep

    def put(self, events: Sequence[BusEvent]) -> list[PutResult]:
        """Put events there in batches, and again those that were not taken; say of each what became of it in the end.

        One that is too large for an execution is put thin: it names its object, and Stripe is asked for it.
        Never raises for what EventBridge says, nor when it cannot be reached.
        """
        events = [fitting(event) for event in events]
        results = [
            PutResult(error=_TOO_LARGE, message=f"EventBridge takes {LARGEST_DETAIL} bytes")
            if len(event.detail.encode()) > LARGEST_DETAIL
            else PutResult()
            for event in events
        ]
        for failed in range(self._tries):
            left = [place for place, result in enumerate(results) if not result.taken and not result.is_final]
            if not left:
                break
            if failed:
                self._sleep(random.uniform(0, 0.25 * 2**failed))  # noqa: S311 -- jitter, no secret
            for batch in _batches(events, left):
                for place, result in zip(batch, self._put_batch([events[place] for place in batch]), strict=True):
                    results[place] = result
        return results

    def _put_batch(self, events: Sequence[BusEvent]) -> list[PutResult]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- slow to import

        entries: list[Any] = [
            {
                "Source": event.source,
                "DetailType": event.detail_type,
                "Detail": event.detail,
                "EventBusName": self._bus_name,
                **({"Resources": list(event.resources)} if event.resources else {}),
            }
            for event in events
        ]
        try:
            answer = self._client.put_events(Entries=entries)
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            return [PutResult(error=code, message=str(error))] * len(events)
        # In the order of the request; what failed has a code and no id.
        return [
            PutResult(event_id=entry["EventId"])
            if "ErrorCode" not in entry
            else PutResult(error=entry["ErrorCode"], message=entry.get("ErrorMessage", ""))
            for entry in answer["Entries"]
        ]


def fitting(event: BusEvent) -> BusEvent:
    """Give an event as it fits into an execution: as it is, or thin; as it is, too, where it cannot be made thin."""
    if len(event.detail.encode()) <= LARGEST_DETAIL:
        return event
    try:
        thin = as_thin(json.loads(event.detail))
    except (ValueError, RecursionError):
        thin = None
    if thin is None:
        return event
    return msgspec.structs.replace(event, detail_type=thin["type"], detail=json.dumps(thin, separators=(",", ":")))


def _size(event: BusEvent) -> int:
    return len(event.detail.encode()) + _ENTRY_BYTES


def _batches(events: Sequence[BusEvent], places: Sequence[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    size = 0
    for place in places:
        length = _size(events[place])
        if not batches or len(batches[-1]) == _MOST_ENTRIES or size + length > _MOST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(place)
        size += length
    return batches
