"""POST /webhooks/stripe: Stripe's webhook endpoint. Checks the signature and puts the event on our own event bus.

From there it starts the very same workflow as an event that came over the partner bus. Stripe is told 200 only when
EventBridge has the event; anything else makes Stripe send it again, for up to three days.
https://docs.stripe.com/webhooks#verify-events
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from handlers.api import public_errors
from handlers.api.http import Request, http_api
from handlers.api.public_errors import PublicError
from handlers.runtime import count_metric, logger
from handlers.settings import stripe_secret
from ticketing.errors import StripeUnavailable
from ticketing.event_bus import LARGEST_DETAIL, BusEvent, EventBridgeBus, fitting
from ticketing.stripe.thin_events import THIN

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

# Stripe's own recommendation: an older signature may be somebody's replay.
_TOLERANCE_SECONDS: Final = 300
# What a function can get at all (API Gateway would take 10 MB); larger than any event, so that one that is too large is
# named and logged. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_LARGEST_BODY: Final = 6 * 1024 * 1024


class _StripeEvent(msgspec.Struct):
    # Both are logged, and the type is the event's detail-type: nothing else may get there.
    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,255}\Z")]
    object: str
    type: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\[\]]{1,128}\Z")]


@http_api
def handler(request: Request) -> dict[str, object]:
    """Give `event_id`; 400 for a bad signature, 413 for an event that EventBridge cannot take."""
    body = request.body(largest=_LARGEST_BODY)
    _check_signature(body, request.headers.get("stripe-signature"))
    event = _read(body)
    logger.append_keys(stripe_event_id=event.id, event_type=event.type)
    sent = fitting(BusEvent(detail_type=event.type, detail=body.decode()))
    if len(sent.detail.encode()) > LARGEST_DETAIL:
        logger.error("Stripe's event is too large for EventBridge", extra={"bytes": len(body)})
        count_metric("WebhookEventsLost")
        raise PublicError(413, "event_too_large", f"EventBridge takes events of at most {LARGEST_DETAIL} bytes.")
    _put(sent)
    count_metric("WebhookEventsTaken")
    return {"event_id": event.id}


def _check_signature(body: bytes, signature: str | None) -> None:
    import stripe  # noqa: PLC0415 -- slow to import: not before the first event

    try:
        secret = stripe_secret().webhook_signing_secret
    except StripeUnavailable as error:
        # The caller here is Stripe, not a buyer: try_again, not the buyer's error for an outage of Stripe.
        raise public_errors.try_again() from error
    if not secret:
        # Without the secret this shop has no webhook. A 500 would let anyone set off the API's alarm.
        logger.warning("Webhook refused: the Stripe secret has no webhook_signing_secret")
        raise public_errors.not_found("This address")
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=_TOLERANCE_SECONDS)
    except (stripe.SignatureVerificationError, UnicodeError, TypeError) as error:  # TypeError: it is not ASCII
        # Anyone can send this, so no alarm. But with a wrong signing secret, every event of Stripe ends here.
        reason = str(error) if isinstance(error, stripe.SignatureVerificationError) else type(error).__name__
        logger.warning("Webhook refused: its signature is wrong", extra={"reason": reason})
        count_metric("WebhookSignaturesRefused")
        raise public_errors.invalid_request("The Stripe-Signature does not match the body.") from None


def _read(body: bytes) -> _StripeEvent:
    try:
        event = msgspec.json.decode(body, type=_StripeEvent)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise public_errors.invalid_request("The body is not a Stripe event.") from None
    if event.object not in {"event", THIN}:
        raise public_errors.invalid_request("The body is neither a snapshot event nor a thin one.")
    return event


def _put(event: BusEvent) -> None:
    # As Stripe signed it, not as we would write it, while it fits. Once: Stripe tries again by itself.
    bus = EventBridgeBus(_event_bridge(), os.environ.get("EVENT_BUS_NAME", "default"), tries=1)
    [result] = bus.put([event])
    if not result.taken:
        logger.error("EventBridge did not accept the event", extra={"error_code": result.error})
        raise public_errors.try_again()


@functools.cache
def _event_bridge() -> EventBridgeClient:
    import boto3  # noqa: PLC0415 -- as slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    # Within Stripe's timeouts and the function's time-out.
    return boto3.client("events", config=Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2}))
