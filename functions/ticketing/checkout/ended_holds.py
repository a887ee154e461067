"""Seats whose hold has ended, and that nobody gave back yet: a checkout that wants them ends their sessions itself.

So does a schedule, for those that nobody wants (`reconciliation.end_holds`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ticketing.database import Database, Row
from ticketing.errors import StripeUnavailable
from ticketing.orders.status import OrderStatus
from ticketing.payments.release import release_order
from ticketing.stripe.ending import EndsSessions, Outcome, end_session

# Sessions that one checkout ends at most, all at once: its buyer waits.
_MOST: Final = 10
_CAUSE: Final = "hold_ended"


def end_some(database: Database, sessions: EndsSessions, *, ticket_id: int, seats: int) -> bool:
    """End the oldest ended holds of a ticket until so many seats are free; tell whether any was given back.

    Takes as long as Stripe's slowest answer. A session that was paid meanwhile keeps its seats.

    Raises:
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        ended = tx.all(
            "SELECT id, held_quantity, stripe_checkout_session_id FROM ticket_orders WHERE status = %s"
            " AND hold_expires_at <= UTC_TIMESTAMP(6) AND COALESCE(held_ticket_id, ticket_id) = %s"
            " AND held_quantity > 0 AND stripe_checkout_session_id IS NOT NULL ORDER BY hold_expires_at LIMIT %s",
            OrderStatus.PENDING,
            ticket_id,
            _MOST,
        )
    return "ended" in end_each(database, sessions, _enough(ended, seats), at_once=_MOST)


def end_each(database: Database, sessions: EndsSessions, orders: Sequence[Row], *, at_once: int) -> list[Outcome]:
    """End the sessions of orders whose hold is over, and give each hold back as soon as its session has ended.

    `orders` have `id` and `stripe_checkout_session_id`. Where Stripe does not answer the outcome is `open`.

    Raises:
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again; what was done stays done.
    """
    outcomes: list[Outcome] = []
    ids = [str(order["stripe_checkout_session_id"]) for order in orders]
    for order, outcome in zip(orders, _outcomes(sessions, ids, at_once), strict=True):
        if outcome == "ended":
            release_order(database, order["id"], lost_as="expired", stripe_event_id=_CAUSE)
        outcomes.append(outcome)
    return outcomes


def _enough(orders: list[Row], seats: int) -> list[Row]:
    enough: list[Row] = []
    for order in orders:
        if seats <= 0:
            break
        enough.append(order)
        seats -= order["held_quantity"]
    return enough


def _outcomes(sessions: EndsSessions, ids: list[str], at_once: int) -> Iterator[Outcome]:
    if len(ids) < 2:  # noqa: PLR2004 -- one needs no thread
        yield from (_end_one(sessions, session_id) for session_id in ids)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- few checkouts need it

    with ThreadPoolExecutor(at_once, thread_name_prefix="stripe") as threads:
        yield from threads.map(lambda session_id: _end_one(sessions, session_id), ids)


def _end_one(sessions: EndsSessions, session_id: str) -> Outcome:
    try:
        return end_session(sessions, session_id)
    except StripeUnavailable:  # also where the caller's time is over
        return "open"
