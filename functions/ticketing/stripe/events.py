"""Reads a Stripe event out of its EventBridge envelope, and says what it means for an order.

Everything is checked here before any order is touched (docs/rules.md, "What an event must pass"). The shapes are
Stripe's: https://docs.stripe.com/api/events/object, https://docs.stripe.com/event-destinations/eventbridge. Only the
fields that the shop uses are read; all others may come, go and change.

What comes out is one type for each thing that Stripe reports (`StripeEvent`), small enough to read in an execution's
history: as JSON it travels through the state machine, and `object` says which of them it is.
"""

from __future__ import annotations

import time
from typing import Any, Final, Literal

import msgspec

from ticketing import money
from ticketing.errors import InvalidEvent
from ticketing.stripe import fields, thin_events
from ticketing.stripe.event_types import (
    CHARGE_EVENTS,
    DISPUTE_EVENTS,
    HANDLED_EVENTS,
    OWN_SOURCE,
    PARTNER_SOURCE_PREFIX,
    REFUND_EVENTS,
    SESSION_EVENTS,
)
from ticketing.stripe.objects import Charge, Dispute, Refund, Session
from ticketing.stripe.thin_events import FetchObject

_LOST_AS: Final[dict[str, Literal["failed", "expired"]]] = {
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
}


class SessionEvent(Session, kw_only=True, omit_defaults=True, tag_field="object", tag="checkout.session"):
    """What became of a Checkout Session, and when (`as_of`); `lost_as`: its payment failed, or it expired."""

    outcome: Literal["paid", "awaiting", "lost"]
    event_id: str
    event_type: str
    livemode: bool
    as_of: int | None = None
    lost_as: Literal["failed", "expired"] | None = None

    @property
    def takes_money(self) -> bool:
        """Tell whether it says that money was taken."""
        return self.outcome == "paid" and self.charged_minor != 0


class ChargeEvent(Charge, kw_only=True, omit_defaults=True, tag_field="object", tag="charge"):
    """Something of a charge went back."""

    outcome: Literal["refund"]
    event_id: str
    event_type: str
    livemode: bool


class RefundEvent(Refund, kw_only=True, omit_defaults=True, tag_field="object", tag="refund"):
    """A refund was made, changed or failed."""

    outcome: Literal["refund"]
    event_id: str
    event_type: str
    livemode: bool


class DisputeEvent(Dispute, kw_only=True, omit_defaults=True, tag_field="object", tag="dispute"):
    """A dispute was opened, changed or closed."""

    outcome: Literal["dispute"]
    event_id: str
    event_type: str
    livemode: bool


class IgnoredEvent(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="object", tag="none"):
    """A well-formed event that is none of the shop's business, because of its type, its account or its session."""

    outcome: Literal["ignored"]
    event_id: str
    event_type: str
    livemode: bool
    because: Literal["type", "account", "no_payment"]


# What comes after a payment: it names the payment, and not its Checkout Session.
LaterEvent = ChargeEvent | RefundEvent | DisputeEvent
# What may be about an order.
OrderEvent = SessionEvent | LaterEvent
StripeEvent = OrderEvent | IgnoredEvent


class _Event(msgspec.Struct):
    id: str
    object: str
    type: str
    livemode: bool
    data: dict[str, Any]
    created: Any = None
    # Whose it is, where it is of a connected account or of one of an organization's. A context is a path of ids
    # (https://docs.stripe.com/context).
    account: str | None = None
    context: str | None = None
    # Of a thin event: when its object was asked for, in Unix time. Then its state decides, not the event's type.
    fetched_at: int | None = None


class _Envelope(msgspec.Struct, rename="kebab"):
    source: str
    detail_type: str
    detail: _Event


class _CurrencyConversion(msgspec.Struct):
    amount_total: int
    source_currency: str


class _Session(msgspec.Struct):
    id: str
    object: str
    mode: str | None = None
    status: str | None = None
    payment_status: str | None = None
    payment_intent: str | dict[str, Any] | None = None
    amount_total: int | None = None
    currency: str | None = None
    currency_conversion: _CurrencyConversion | None = None
    # For people only: whatever stands there, the payment counts.
    presentment_details: Any = None
    metadata: dict[str, Any] | None = None


class _Charge(msgspec.Struct):
    id: str
    object: str
    amount: int
    amount_refunded: int
    currency: str
    payment_intent: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class _Refund(msgspec.Struct):
    id: str
    object: str
    amount: int
    currency: str
    status: str | None = None
    charge: str | dict[str, Any] | None = None
    payment_intent: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class _Dispute(msgspec.Struct):
    id: str
    object: str
    amount: int
    currency: str
    status: str
    charge: str | dict[str, Any] | None = None
    payment_intent: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    # For the alert only: whatever stands there, the dispute is told.
    reason: Any = None
    evidence_details: Any = None


def read_event(
    envelope: object, *, livemode: bool, own_account: str | None = None, fetch: FetchObject | None = None
) -> StripeEvent:
    """Check an EventBridge envelope and say what its Stripe event means.

    Args:
        envelope: the event as EventBridge hands it on: `source`, `detail-type`, `detail`, …
        livemode: whether this environment handles live payments.
        own_account: the shop's own Stripe account, where it is known. Most events of one's own account name none.
        fetch: how the object of a thin event is got from Stripe; asked only for events that the shop handles.

    Returns:
        What it reports; an `IgnoredEvent` for a well-formed event of another account, of a type that the shop does
        not handle, or of a session in which nothing is paid.

    Raises:
        InvalidEvent: malformed, its envelope contradicts it, or it is of the other Stripe mode; or it is thin, and
            there is no such object, or nobody to ask.
        Whatever `fetch` raises.
    """
    thin = _thin_detail(envelope)
    read = fields.convert(envelope if thin is None else _as_snapshot(envelope, thin), _Envelope, "The envelope")
    if not (read.source == OWN_SOURCE or read.source.startswith(PARTNER_SOURCE_PREFIX)):
        raise InvalidEvent(
            f"The envelope's source must be {OWN_SOURCE} or begin with {PARTNER_SOURCE_PREFIX},"
            f" not {fields.word(read.source)}."
        )
    event = read.detail
    if event.object != "event":
        raise InvalidEvent(f"detail must be a Stripe Event object, not {fields.word(event.object)}.")
    if read.detail_type != event.type:
        raise InvalidEvent(
            f"detail-type {fields.word(read.detail_type)} is not the event's type {fields.word(event.type)}."
        )
    fields.stripe_id(event.id, "The event's id")
    if not _is_of(own_account, event):
        return _ignored(event, "account")
    if event.type not in HANDLED_EVENTS:
        return _ignored(event, "type")
    if event.livemode != livemode:
        raise InvalidEvent(
            f"Event {event.id} is of Stripe's {_mode(event.livemode)} mode,"
            f" but this environment handles {_mode(livemode)} payments."
        )
    if thin is None:
        return _READERS[event.type](event, event.data.get("object"))
    if fetch is None:
        raise InvalidEvent(f"Event {event.id} is thin: its object is to be fetched from Stripe.")
    # Before the request: what is answered may be newer, never older.
    event.fetched_at = int(time.time())
    body = thin_events.fetched_object(thin, fetch)
    return _READERS[event.type](event, body)


def _thin_detail(envelope: object) -> dict[str, Any] | None:
    detail = envelope.get("detail") if isinstance(envelope, dict) else None
    return detail if isinstance(detail, dict) and thin_events.is_thin(detail) else None


def _as_snapshot(envelope: object, thin: dict[str, Any]) -> dict[str, Any]:
    """Give the envelope with the snapshot's type and shape in the thin event's place."""
    given = dict(envelope) if isinstance(envelope, dict) else {}
    detail = thin_events.as_snapshot(thin)
    named = given.get("detail-type")
    if isinstance(named, str):
        if named != thin["type"]:
            raise InvalidEvent(f"detail-type {fields.word(named)} is not the event's type {fields.word(thin['type'])}.")
        given["detail-type"] = detail["type"]
    return {**given, "detail": detail}


def _is_of(own_account: str | None, event: _Event) -> bool:
    said = {name.rpartition("/")[2] for name in (event.account, event.context) if name}
    return said <= {own_account}


def _ignored(event: _Event, because: Literal["type", "account", "no_payment"]) -> IgnoredEvent:
    return IgnoredEvent(
        outcome="ignored",
        event_id=event.id,
        event_type=fields.word(event.type),
        livemode=event.livemode,
        because=because,
    )


def _read_session(event: _Event, body: object) -> SessionEvent | IgnoredEvent:
    session = fields.convert(body, _Session, "detail.data.object", expected="checkout.session")
    if session.mode == "setup":
        # Another application of the account stored a payment method: no money, no order.
        return _ignored(event, "no_payment")
    order_minor, order_currency = session.amount_total, session.currency
    if session.currency_conversion is not None:
        order_minor = session.currency_conversion.amount_total
        order_currency = session.currency_conversion.source_currency
    decide = _session_outcome if event.fetched_at is None else _outcome_of_state
    outcome, lost_as = decide(event.type, session)
    # Both sides: what the order costs, and what the buyer was charged.
    reported = (order_minor, order_currency, session.amount_total, session.currency)
    if outcome == "paid" and any(part is None for part in reported):
        raise InvalidEvent(f"Event {event.id} reports a payment without an amount and a currency.")
    if session.payment_status == "no_payment_required" and order_minor:
        raise InvalidEvent(f"Event {event.id} says that nothing had to be paid, but names an amount.")
    charged_currency = None if session.currency is None else fields.currency(session.currency)
    presented = fields.presentment(session.presentment_details)
    return SessionEvent(
        outcome=outcome,
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        as_of=fields.time(event.created),
        session_id=session.id,
        **_names(session.metadata),
        payment_intent_id=fields.optional_id(session.payment_intent, "payment_intent"),
        amount_minor=fields.amount(order_minor, "amount_total"),
        currency=None if order_currency is None else fields.currency(order_currency),
        charged_minor=fields.amount(session.amount_total, "amount_total"),
        charged_currency=charged_currency,
        charged=money.format_charged(session.amount_total, charged_currency, presented)
        if session.amount_total is not None and charged_currency is not None
        else None,
        presented_minor=presented[0] if presented else None,
        presented_currency=presented[1] if presented else None,
        lost_as=lost_as,
    )


def _outcome_of_state(
    event_type: str, session: _Session
) -> tuple[Literal["paid", "awaiting", "lost"], Literal["failed", "expired"] | None]:
    """Say what a session is now, whatever the event was that made it be looked at."""
    # First: a session over 0 says no_payment_required from its beginning, also when it expires.
    if session.status == "expired":
        return "lost", "expired"
    if session.status == "complete":
        if session.payment_status in {"paid", "no_payment_required"}:
            return "paid", None
        # Whether a delayed payment failed, the session does not say.
        if event_type == "checkout.session.async_payment_failed":
            return "lost", "failed"
        if session.payment_status == "unpaid":
            return "awaiting", None
    raise InvalidEvent(
        f"A {event_type} event cannot be about a session that is {fields.word(str(session.status))} and"
        f" {fields.word(str(session.payment_status))}."
    )


def _session_outcome(
    event_type: str, session: _Session
) -> tuple[Literal["paid", "awaiting", "lost"], Literal["failed", "expired"] | None]:
    lost_as, payment_status = _LOST_AS.get(event_type), session.payment_status
    if lost_as is not None:
        # Not `== "unpaid"`: a session over 0 says no_payment_required (some were seen to say paid) from its beginning,
        # also when it expires.
        if payment_status != "paid" or session.amount_total == 0:
            return "lost", lost_as
    elif payment_status in {"paid", "no_payment_required"}:
        return "paid", None
    elif payment_status == "unpaid" and event_type == "checkout.session.completed":
        return "awaiting", None
    raise InvalidEvent(f"A {event_type} event cannot have the payment_status {fields.word(str(payment_status))}.")


def _read_charge(event: _Event, body: object) -> ChargeEvent:
    charge = fields.convert(body, _Charge, "detail.data.object", expected="charge")
    if charge.amount_refunded > charge.amount:
        raise InvalidEvent(f"Event {event.id} says that more was refunded than was paid.")
    return ChargeEvent(
        outcome="refund",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        **_names(charge.metadata),
        payment_intent_id=fields.optional_id(charge.payment_intent, "payment_intent"),
        charge_id=charge.id,
        amount_minor=fields.needed_amount(charge.amount, "amount"),
        currency=fields.currency(charge.currency),
        refunded_minor=fields.needed_amount(charge.amount_refunded, "amount_refunded"),
    )


def _read_refund(event: _Event, body: object) -> RefundEvent:
    refund = fields.convert(body, _Refund, "detail.data.object", expected="refund")
    return RefundEvent(
        outcome="refund",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        **_names(refund.metadata),
        payment_intent_id=fields.optional_id(refund.payment_intent, "payment_intent"),
        charge_id=fields.optional_id(refund.charge, "charge"),
        refund_id=refund.id,
        currency=fields.currency(refund.currency),
        amount_minor=fields.needed_amount(refund.amount, "amount"),
        status=fields.refund_status(refund.status or "pending"),
    )


def _read_dispute(event: _Event, body: object) -> DisputeEvent:
    dispute = fields.convert(body, _Dispute, "detail.data.object", expected="dispute")
    details = dispute.evidence_details
    return DisputeEvent(
        outcome="dispute",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        **_names(dispute.metadata),
        payment_intent_id=fields.optional_id(dispute.payment_intent, "payment_intent"),
        charge_id=fields.optional_id(dispute.charge, "charge"),
        dispute_id=dispute.id,
        amount_minor=fields.needed_amount(dispute.amount, "amount"),
        currency=fields.currency(dispute.currency),
        status=fields.word(dispute.status),
        as_of=fields.time(event.created),
        fetched_at=event.fetched_at,
        reason=fields.word(dispute.reason) if isinstance(dispute.reason, str) else None,
        due_by=fields.time(details.get("due_by")) if isinstance(details, dict) else None,
    )


_READERS: Final = (
    dict.fromkeys(SESSION_EVENTS, _read_session)
    | dict.fromkeys(CHARGE_EVENTS, _read_charge)
    | dict.fromkeys(REFUND_EVENTS, _read_refund)
    | dict.fromkeys(DISPUTE_EVENTS, _read_dispute)
)


def _names(metadata: dict[str, Any] | None) -> dict[str, str | None]:
    """Give what metadata says of the order, as the fields of `OrderNames`."""
    return {
        "order_reference": fields.reference(metadata, "order_id"),
        "event_reference": fields.reference(metadata, "event_id"),
        "ticket_reference": fields.reference(metadata, "ticket_id"),
        "order_mark": fields.reference(metadata, "order_mark"),
    }


def _mode(livemode: bool) -> str:  # noqa: FBT001 -- Stripe's own flag
    return "live" if livemode else "test"
