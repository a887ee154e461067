"""Whether a Checkout Session is ours: one that this shop opened (docs/rules.md, "Words").

Small numbers collide, between two shops on one Stripe account and after a database was restored. So a number that a
session names finds an order, and this says whether the session is that order's. Nothing that is not ours may be
counted, refunded, expired, or advised to be refunded.
"""

from __future__ import annotations

from typing import Final, Literal

from ticketing.database import Row
from ticketing.orders.numbers import order_id_of
from ticketing.stripe.objects import OrderNames, SessionIdentity

# The columns of an order that this module reads.
COLUMNS: Final = "id, event_id, ticket_id, stripe_checkout_session_id, order_mark"

# `contradicts`: it names this order, and a mark, or an event and a ticket, that are not this order's.
Ownership = Literal["ours", "not_ours", "contradicts"]


def is_ours(order: Row, session: OrderNames) -> bool:
    """Tell whether a session was opened by this shop for this order. `order` is its row with `COLUMNS`.

    Without a session, by what the metadata of its charge says: Stripe copies the PaymentIntent's onto it.
    """
    return ownership(order, session) == "ours"


def ownership(order: Row, session: OrderNames) -> Ownership:
    """Say whose a session is, seen from one order. `order` is its row with `COLUMNS`.

    | the session                                                  | order has a mark   | order has none  |
    |--------------------------------------------------------------|--------------------|-----------------|
    | has the id that stands on the order                          | ours               | ours            |
    | does not name this order                                     | not_ours           | not_ours        |
    | names this order and its mark                                | ours               | (cannot be)     |
    | names this order and another mark                            | contradicts        | contradicts     |
    | names this order and no mark, but its event and its ticket   | not_ours           | ours            |
    | names this order and no mark, but another event or ticket    | contradicts        | contradicts     |
    | names this order and nothing else, or only event or ticket   | not_ours           | not_ours        |
    """
    if isinstance(session, SessionIdentity) and session.session_id == order["stripe_checkout_session_id"]:
        return "ours"
    if order_id_of(session.order_reference) != order["id"]:
        return "not_ours"
    if session.order_mark is not None:
        return "ours" if session.order_mark == order["order_mark"] else "contradicts"
    if session.event_reference is None or session.ticket_reference is None:
        return "not_ours"
    if (order_id_of(session.event_reference), order_id_of(session.ticket_reference)) != (
        order["event_id"],
        order["ticket_id"],
    ):
        return "contradicts"
    return "ours" if order["order_mark"] is None else "not_ours"


def contradiction(names: OrderNames) -> str:
    """Say by what something contradicts the order that it names, for a sentence."""
    return "mark" if names.order_mark is not None else "event or ticket"
