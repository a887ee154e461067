"""Reads a Stripe event out of its EventBridge envelope, and says what it means for an order.

Everything is checked here before any order is touched (docs/rules.md, "What an event must pass"). The shapes are
Stripe's: https://docs.stripe.com/api/events/object, https://docs.stripe.com/api/checkout/sessions/object,
https://docs.stripe.com/event-destinations/eventbridge. Only the fields that the shop uses are read; all others
may come, go and change.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeVar

import msgspec

from ticketing import money
from ticketing.errors import InvalidEvent

T = TypeVar("T", bound=msgspec.Struct)
Outcome = Literal["paid", "awaiting", "lost", "refund", "dispute", "ignored"]

PARTNER_SOURCE_PREFIX: Final = "aws.partner/stripe.com/"
OWN_SOURCE: Final = "stripe.com"

SESSION_EVENTS: Final = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
REFUND_EVENTS: Final = frozenset({"charge.refunded", "refund.created", "refund.updated", "refund.failed"})
DISPUTE_EVENTS: Final = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)
HANDLED_EVENTS: Final = SESSION_EVENTS | REFUND_EVENTS | DISPUTE_EVENTS
_LOST_AS: Final[dict[str, Literal["failed", "expired"]]] = {
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
}

# Stripe's ids are letters, digits and underscores, and at most 255 long (https://docs.stripe.com/upgrades).
_STRIPE_ID = re.compile(r"[A-Za-z0-9_]{1,255}\Z")
_CURRENCY = re.compile(r"[A-Za-z]{3}\Z")
# What may be repeated in a message: words as Stripe and our own code write them. An address or a name is not.
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}\Z")
# It is stored (`order_refunds.status`); Stripe's longest is requires_action.
_REFUND_STATUS = re.compile(r"[a-z_]{1,20}\Z")
# What a payment can amount to at most in minor units: larger than any Stripe allows, smaller than a BIGINT.
_LARGEST_AMOUNT: Final = 10**12
# The end of the year 9999 in Unix time: what a date can say.
_LATEST_TIME: Final = 253_402_300_799


class _Event(msgspec.Struct):
    id: str
    object: str
    type: str
    livemode: bool
    data: dict[str, Any]
    created: Any = None


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
    payment_status: str | None = None
    payment_intent: str | dict[str, Any] | None = None
    amount_total: int | None = None
    currency: str | None = None
    currency_conversion: _CurrencyConversion | None = None
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


class Payment(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a Stripe event says of a payment, in the shop's terms; small enough to read in the history.

    Amounts are minor units. `amount_minor` and `currency` are the order's side; `charged_minor` and
    `charged_currency` are what the buyer was charged, which differs with adaptive pricing
    (https://docs.stripe.com/payments/checkout/adaptive-pricing).
    """

    outcome: Outcome
    event_id: str
    event_type: str
    livemode: bool
    # What metadata.order_id says (`?` for what is no word): LookUpOrder decides whether it is an order.
    order_reference: str | None = None
    session_id: str | None = None
    payment_intent_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    charged_minor: int | None = None
    charged_currency: str | None = None
    # The same as a person writes it, for alerts: `40.00 EUR`.
    charged: str | None = None
    # Why an order is lost: its payment failed, or its Checkout Session expired.
    lost_as: Literal["failed", "expired"] | None = None
    # Of a refund or a dispute: its own id and status; of a charge: how much of it went back so far.
    charge_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    status: str | None = None
    refunded_minor: int | None = None
    # Of a dispute: when Stripe said so; the bank's reason, and until when it is to be answered. In Unix time.
    as_of: int | None = None
    dispute_reason: str | None = None
    dispute_due_by: int | None = None

    @property
    def key(self) -> str:
        """The payment's identity: its PaymentIntent, or its Checkout Session where nothing had to be paid."""
        return self.payment_intent_id or self.session_id or self.charge_id or self.event_id


def read_event(envelope: object, *, livemode: bool) -> Payment:
    """Check an EventBridge envelope and say what its Stripe event means.

    Args:
        envelope: the event as EventBridge hands it on: `source`, `detail-type`, `detail`, …
        livemode: whether this environment handles live payments.

    Returns:
        The payment. Its outcome is `ignored` for a well-formed event of a type that the shop does not handle.

    Raises:
        InvalidEvent: malformed, its envelope contradicts it, or it is of the other Stripe mode.
    """
    read = _convert(envelope, _Envelope, "The envelope")
    if not (read.source == OWN_SOURCE or read.source.startswith(PARTNER_SOURCE_PREFIX)):
        raise InvalidEvent(
            f"The envelope's source must be {OWN_SOURCE} or begin with {PARTNER_SOURCE_PREFIX},"
            f" not {_short(read.source)}."
        )
    event = read.detail
    if event.object != "event":
        raise InvalidEvent(f"detail must be a Stripe Event object, not {_short(event.object)}.")
    if read.detail_type != event.type:
        raise InvalidEvent(f"detail-type {_short(read.detail_type)} is not the event's type {_short(event.type)}.")
    _stripe_id(event.id, "The event's id")
    if event.type not in HANDLED_EVENTS:
        return Payment(outcome="ignored", event_id=event.id, event_type=_short(event.type), livemode=event.livemode)
    if event.livemode != livemode:
        raise InvalidEvent(
            f"Event {event.id} is of Stripe's {_mode(event.livemode)} mode,"
            f" but this environment handles {_mode(livemode)} payments."
        )
    reader = _READERS[event.type.rpartition(".")[0]]
    return reader(event, event.data.get("object"))


def _read_session(event: _Event, body: object) -> Payment:
    session = _convert(body, _Session, "detail.data.object", expected="checkout.session")
    if session.mode == "setup":
        # Another application of the account stored a payment method: no money, no order.
        return Payment(outcome="ignored", event_id=event.id, event_type=event.type, livemode=event.livemode)
    order_minor, order_currency = session.amount_total, session.currency
    if session.currency_conversion is not None:
        order_minor = session.currency_conversion.amount_total
        order_currency = session.currency_conversion.source_currency
    outcome, lost_as = _session_outcome(event.type, session)
    # Both sides: what the order costs, and what the buyer was charged.
    told = (order_minor, order_currency, session.amount_total, session.currency)
    if outcome == "paid" and any(part is None for part in told):
        raise InvalidEvent(f"Event {event.id} reports a payment without an amount and a currency.")
    if session.payment_status == "no_payment_required" and order_minor:
        raise InvalidEvent(f"Event {event.id} says that nothing had to be paid, and names an amount.")
    return Payment(
        outcome=outcome,
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        order_reference=_order_reference(session.metadata),
        session_id=session.id,
        payment_intent_id=_optional_id(session.payment_intent, "payment_intent"),
        amount_minor=_amount(order_minor, "amount_total"),
        currency=_currency(order_currency),
        charged_minor=_amount(session.amount_total, "amount_total"),
        charged_currency=_currency(session.currency),
        charged=_spoken(session.amount_total, session.currency),
        lost_as=lost_as,
    )


def _session_outcome(event_type: str, session: _Session) -> tuple[Outcome, Literal["failed", "expired"] | None]:
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
    raise InvalidEvent(f"A {event_type} event cannot have the payment_status {_short(str(payment_status))}.")


def _read_charge(event: _Event, body: object) -> Payment:
    charge = _convert(body, _Charge, "detail.data.object", expected="charge")
    if charge.amount_refunded > charge.amount:
        raise InvalidEvent(f"Event {event.id} says that more was refunded than was paid.")
    return Payment(
        outcome="refund",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        order_reference=_order_reference(charge.metadata),
        payment_intent_id=_optional_id(charge.payment_intent, "payment_intent"),
        charge_id=charge.id,
        charged_minor=_amount(charge.amount, "amount"),
        charged_currency=_currency(charge.currency),
        refunded_minor=_amount(charge.amount_refunded, "amount_refunded"),
    )


def _read_refund(event: _Event, body: object) -> Payment:
    refund = _convert(body, _Refund, "detail.data.object", expected="refund")
    return Payment(
        outcome="refund",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        order_reference=_order_reference(refund.metadata),
        payment_intent_id=_optional_id(refund.payment_intent, "payment_intent"),
        charge_id=_optional_id(refund.charge, "charge"),
        refund_id=refund.id,
        charged_currency=_currency(refund.currency),
        refunded_minor=_amount(refund.amount, "amount"),
        status=_refund_status(refund.status or "pending"),
    )


def _read_dispute(event: _Event, body: object) -> Payment:
    dispute = _convert(body, _Dispute, "detail.data.object", expected="dispute")
    return Payment(
        outcome="dispute",
        event_id=event.id,
        event_type=event.type,
        livemode=event.livemode,
        order_reference=_order_reference(dispute.metadata),
        payment_intent_id=_optional_id(dispute.payment_intent, "payment_intent"),
        charge_id=_optional_id(dispute.charge, "charge"),
        dispute_id=dispute.id,
        charged_minor=_amount(dispute.amount, "amount"),
        charged_currency=_currency(dispute.currency),
        status=_short(dispute.status),
        as_of=_moment(event.created),
        dispute_reason=_short(dispute.reason) if isinstance(dispute.reason, str) else None,
        dispute_due_by=_due_by(dispute.evidence_details),
    )


def _due_by(evidence_details: object) -> int | None:
    return _moment(evidence_details.get("due_by")) if isinstance(evidence_details, dict) else None


def _moment(value: object) -> int | None:
    """Give a time in Unix seconds where it is one; nothing depends on it so much that an event were refused for it."""
    return value if isinstance(value, int) and 0 < value <= _LATEST_TIME else None


_READERS: Final = {
    "checkout.session": _read_session,
    "charge": _read_charge,
    "refund": _read_refund,
    "charge.dispute": _read_dispute,
}


def _convert(value: object, kind: type[T], what: str, *, expected: str | None = None) -> T:
    try:
        read = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        # msgspec names types and places, never values: nothing of the buyer's can get into a log.
        raise InvalidEvent(f"{what} is malformed: {error}.") from None
    except UnicodeError:  # JSON can write half a surrogate pair, which is no text
        raise InvalidEvent(f"{what} is malformed: it has text that is no Unicode.") from None
    if expected is not None:
        kind_of_object = str(getattr(read, "object", ""))
        if kind_of_object != expected:
            raise InvalidEvent(f"{what} must be a {expected}, not {_short(kind_of_object)}.")
        _stripe_id(str(getattr(read, "id", "")), f"{what}.id")
    return read


def _stripe_id(value: str, what: str) -> str:
    if not _STRIPE_ID.match(value):
        raise InvalidEvent(f"{what} is not a Stripe id.")
    return value


def _optional_id(value: str | dict[str, Any] | None, what: str) -> str | None:
    # Stripe writes a reference as an id, or as the whole object where it was expanded.
    if isinstance(value, dict):
        value = value.get("id")
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"{what} is not a Stripe id.")
    return _stripe_id(value, what)


def _order_reference(metadata: dict[str, Any] | None) -> str | None:
    value = (metadata or {}).get("order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidEvent("metadata.order_id is not a string.")
    return _short(value)


def _amount(value: int | None, what: str) -> int | None:
    if value is not None and not 0 <= value <= _LARGEST_AMOUNT:
        raise InvalidEvent(f"{what} is out of bounds.")
    return value


def _currency(value: str | None) -> str | None:
    if value is None:
        return None
    if not _CURRENCY.match(value):
        raise InvalidEvent("currency is not a currency's code.")
    return value.lower()


def _spoken(minor: int | None, currency: str | None) -> str | None:
    return money.format_amount(minor, currency) if minor is not None and currency is not None else None


def _mode(livemode: bool) -> str:  # noqa: FBT001 -- Stripe's own flag
    return "live" if livemode else "test"


def _refund_status(value: str) -> str:
    if not _REFUND_STATUS.match(value):
        raise InvalidEvent("The refund's status is no status.")
    return value


def _short(value: str) -> str:
    """Make somebody else's text fit for messages and logs: a word as it is, anything else a question mark."""
    return value if _WORD.match(value) else "?"
