"""What Stripe has of an order, or of any id of its own, beside whose it says to be: for operators, and read only."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from ticketing.database import Database
from ticketing.operators.inspection import InspectedOrder, find_order
from ticketing.orders.numbers import order_id_of
from ticketing.stripe.inspection import SeenObject

# Of a mark: it is that of the order that the object names; another, or that order is not there; it has none.
Mark = Literal["the order's", "another", "none"]


class Inspector(Protocol):
    """Where objects are: `ticketing.stripe.inspection.StripeInspector`."""

    def of(self, wanted: str) -> list[SeenObject]:
        """Give an object and what belongs to its payment."""


class ObjectAtStripe(SeenObject, kw_only=True):
    """An object, and whose mark is on it (docs/rules.md, "Words"); the mark itself is not given."""

    has_mark: Mark = "none"


class AtStripe(msgspec.Struct, kw_only=True):
    """What Stripe has. `order_id`: the order that was asked about; `is_gone`: there is no such order."""

    objects: list[ObjectAtStripe]
    order_id: int | None = None
    is_gone: bool = False


def look(database: Database, stripe: Inspector, wanted: str) -> AtStripe:
    """Look an order's number, or an id of Stripe's, up at Stripe.

    Raises:
        StripeUnavailable: try again.
        ConfigurationError: the API key is wrong, or may not read one of these.
        DatabaseUnavailable: try again.
    """
    order_id = order_id_of(wanted)
    order = None if order_id is None else find_order(database, order_id=order_id)
    if order_id is not None and order is None:
        return AtStripe(objects=[], order_id=order_id, is_gone=True)
    found: dict[str, SeenObject] = {}
    for one in [wanted] if order is None else _ids_of(order):
        # The session of a payment was seen with it.
        if one not in found:
            found |= {seen.id: seen for seen in stripe.of(one)}
    marks = _marks(database, list(found.values()))
    return AtStripe(objects=[_told(seen, marks) for seen in found.values()], order_id=order_id)


def _ids_of(order: InspectedOrder) -> list[str]:
    """Give the payments of an order, and its sessions: of these only some were paid."""
    payments = [row["stripe_payment_intent_id"] for row in (order.order, *order.payments)]
    sessions = [row["stripe_checkout_session_id"] for row in (order.order, *order.payments)]
    return [one for one in dict.fromkeys([*payments, *sessions]) if one]


def _marks(database: Database, found: list[SeenObject]) -> dict[int, str | None]:
    named = {number for seen in found if (number := order_id_of(seen.metadata.get("order_id"))) is not None}
    if not named:
        return {}
    with database.transaction() as tx:
        rows = tx.all("SELECT id, order_mark FROM ticket_orders WHERE id IN %s", tuple(sorted(named)))
    return {row["id"]: row["order_mark"] for row in rows}


def _told(seen: SeenObject, marks: dict[int, str | None]) -> ObjectAtStripe:
    number = order_id_of(seen.metadata.get("order_id"))
    of_order = None if number is None else marks.get(number)
    has: Mark = "none" if seen.mark is None else "the order's" if seen.mark == of_order else "another"
    return ObjectAtStripe(**{**msgspec.structs.asdict(seen), "mark": None}, has_mark=has)
