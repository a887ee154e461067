"""InspectOrder: shows operators an order as the database has it, lists orders, says how database and counts are doing.

It changes nothing. Invoked by `cachao show`, `orders`, `disputes`, `counts --history`, `executions --order`, `refund`
and `doctor`: the database is reached from inside its network only, operators need no way to it and no password.
"""

from __future__ import annotations

import contextlib

import msgspec

from handlers.runtime import TaskInput, database, task
from handlers.settings import connect_with_the_secret_as_it_is
from ticketing.errors import SchemaOutdated
from ticketing.operators.count_check import CountCheck, check_counts
from ticketing.operators.counter_history import CounterHistory, CounterHistoryWanted, list_counter_corrections
from ticketing.operators.inspection import DatabaseHealth, InspectedOrder, database_health, find_order
from ticketing.operators.listing import ListedOrders, OrdersWanted, list_orders
from ticketing.operators.open_disputes import DisputesWanted, ListedDisputes, list_open_disputes
from ticketing.schema.runner import pending_migrations


class InspectOrderInput(TaskInput):
    """An order's id, or the id of something at Stripe that belongs to it; or one of those below `orders`.

    `orders` may name a buyer's e-mail address: no input is logged here, nor repeated in an error's sentence.
    """

    execution_id: str = "by hand"
    session_id: str | None = None
    payment_intent_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    charge_id: str | None = None
    orders: OrdersWanted | None = None
    disputes: DisputesWanted | None = None
    counter_history: CounterHistoryWanted | None = None
    health: bool = False
    counts: bool = False


class InspectOrderResult(msgspec.Struct, kw_only=True):
    """What was asked for; `found` is None where there is no such order."""

    found: InspectedOrder | None = None
    orders: ListedOrders | None = None
    disputes: ListedDisputes | None = None
    counter_history: CounterHistory | None = None
    pending_migrations: list[str] | None = None
    # None while migrations are pending: the tables do not have the columns yet.
    health: DatabaseHealth | None = None
    counts: CountCheck | None = None


@task(InspectOrderInput)
def handler(given: InspectOrderInput) -> InspectOrderResult:
    """Raises DatabaseUnavailable."""
    if given.health:
        return _health()
    if given.counts:
        return InspectOrderResult(counts=check_counts(database))
    if given.orders is not None:
        return InspectOrderResult(orders=list_orders(database, given.orders))
    if given.disputes is not None:
        return InspectOrderResult(disputes=list_open_disputes(database, given.disputes))
    if given.counter_history is not None:
        return InspectOrderResult(counter_history=list_counter_corrections(database, given.counter_history))
    return InspectOrderResult(
        found=find_order(
            database,
            order_id=given.order_id,
            session_id=given.session_id,
            payment_intent_id=given.payment_intent_id,
            stripe_event_id=given.stripe_event_id,
            refund_id=given.refund_id,
            dispute_id=given.dispute_id,
            charge_id=given.charge_id,
        )
    )


def _health() -> InspectOrderResult:
    # First a transaction of the shop's own, which says in its own words that the database is away.
    with contextlib.suppress(SchemaOutdated), database.transaction() as tx:
        tx.one("SELECT 1")
    pending = pending_migrations(connect_with_the_secret_as_it_is)
    return InspectOrderResult(pending_migrations=pending, health=None if pending else database_health(database))
