"""What the matrix lets happen to an order, so that every task of the workflow has its turn.

Rows have fixed ids, so that the rows of two runs can be compared; only Stripe's ids, which the stand-in makes up,
are given names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import (
    charge_of,
    create_code,
    create_event,
    create_order,
    create_ticket,
    dispute_of,
    envelope,
    names_of,
    read_as,
    row_of,
    session_of,
    stripe_event,
)
from ticketing.database import Database
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.stripe.events import SessionEvent

_ORDER = 1
_SESSION = "cs_test_matrix"
_MINOR = 3600


@dataclass(frozen=True)
class Scene:
    """An event about to happen. `names` are what the rows of two runs call the same thing by."""

    envelope: dict[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)
    payment_at_stripe: str | None = None


@dataclass(frozen=True)
class Scenario:
    """How it is called, and what makes its rows."""

    name: str
    prepare: Callable[[Database, StripeStandIn], Scene]


def _order(database: Database, **columns: Any) -> None:
    create_event(database, id=1)
    create_ticket(database, id=1, event_id=1, max_quantity=5)
    create_code(database, id=1, event_id=1, max_uses=5)
    order: dict[str, Any] = {
        "id": _ORDER,
        "ticket_id": 1,
        "quantity": 2,
        "discount_code_id": 1,
        "unit_price": Decimal("18.00"),
        "email": "buyer@example.com",
        "stripe_checkout_session_id": _SESSION,
    }
    # Two runs are compared.
    mark = {"order_mark": "mark-of-the-order"} if columns.get("hold", True) else {}
    create_order(database, **(order | mark | columns))


def _paid_order(database: Database) -> None:
    _order(database)
    event = _event(database, "checkout.session.completed", id="evt_first")
    mark_order_paid(database, _ORDER, read_as(SessionEvent, event))
    count_ticket_sale(database, _ORDER)
    count_discount_use(database, _ORDER)


def _event(database: Database, event_type: str, **fields: Any) -> dict[str, Any]:
    """A session's event; `id` is the Stripe event's, everything else the session's."""
    event_id = fields.pop("id", "evt_matrix")
    order = row_of(database, "ticket_orders", _ORDER)
    body = session_of(order, **({"id": _SESSION} | fields))
    return envelope(event_type, body, detail=stripe_event(event_type, body, id=event_id))


def _paid(database: Database, stripe: StripeStandIn) -> Scene:
    # Its checkout stopped half-way: LookUpOrder stores the session, so that it has something to lose, too.
    _order(database, stripe_checkout_session_id=None)
    return Scene(_event(database, "checkout.session.completed"))


def _awaited(database: Database, stripe: StripeStandIn) -> Scene:
    _order(database)
    return Scene(_event(database, "checkout.session.completed", payment_status="unpaid"))


def _expired(database: Database, stripe: StripeStandIn) -> Scene:
    _order(database)
    return Scene(
        _event(database, "checkout.session.expired", payment_status="unpaid", payment_intent=None, status="expired")
    )


def _refunded(database: Database, stripe: StripeStandIn) -> Scene:
    _paid_order(database)
    charge = charge_of(row_of(database, "ticket_orders", _ORDER), amount_refunded=_MINOR)
    return Scene(envelope("charge.refunded", charge, detail=stripe_event("charge.refunded", charge, id="evt_matrix")))


def _dispute_lost(database: Database, stripe: StripeStandIn) -> Scene:
    _paid_order(database)
    dispute = dispute_of(row_of(database, "ticket_orders", _ORDER), status="lost")
    detail = stripe_event("charge.dispute.closed", dispute, id="evt_matrix")
    return Scene(envelope("charge.dispute.closed", dispute, detail=detail))


def _paid_twice(database: Database, stripe: StripeStandIn) -> Scene:
    _paid_order(database)
    names = names_of(row_of(database, "ticket_orders", _ORDER))
    second = stripe.session(stripe.seed_session(SessionSeed(_MINOR, metadata=names)))
    payment = str(second["payment_intent"])
    event = _event(database, "checkout.session.completed", payment_intent=payment, metadata=names)
    event["detail"]["data"]["object"]["id"] = second["id"]
    called = {payment: "the second payment", str(second["id"]): "the second session"}
    return Scene(event, called, payment_at_stripe=payment)


# For each task the first one that reaches it is used.
SCENARIOS = (
    Scenario("paid", _paid),
    Scenario("payment awaited", _awaited),
    Scenario("expired", _expired),
    Scenario("refunded", _refunded),
    Scenario("dispute lost", _dispute_lost),
    Scenario("paid twice", _paid_twice),
)
