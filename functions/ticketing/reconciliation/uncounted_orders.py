"""Counts orders that are paid and were never counted, found by what the tables say, not by executions.

Between "paid" and "counted" lies a step of the workflow. An execution that was killed there, or lost, leaves seats held
for ever. Only orders that this schema made paid (`paid_at`): nobody knows what the shop before has counted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

from ticketing.alerts import Alert
from ticketing.database import Database, Row
from ticketing.errors import DatabaseUnavailable
from ticketing.orders import counts_off
from ticketing.orders.status import OrderStatus
from ticketing.payments.counts import COUNTED_WITHIN_MINUTES, count_discount_use, count_ticket_sale
from ticketing.reconciliation.repair import ReconciledItem, retried

_PAGE_SIZE: Final = 100

# Each by an index of its own that has nearly nothing in it.
_SEATS: Final = (
    f"SELECT id, stripe_checkout_session_id, {counts_off.IS_OFF} FROM ticket_orders"  # noqa: S608 -- constants
    " WHERE status = %s AND ticket_counted_at IS NULL"
    " AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE AND id > %s ORDER BY id LIMIT %s"
)
_USES: Final = (
    f"SELECT id, stripe_checkout_session_id, {counts_off.IS_OFF} FROM ticket_orders"  # noqa: S608 -- constants
    " WHERE code_held > 0 AND status = %s"
    " AND ticket_counted_at IS NOT NULL AND discount_counted_at IS NULL"
    " AND paid_at < UTC_TIMESTAMP(6) - INTERVAL %s MINUTE AND id > %s ORDER BY id LIMIT %s"
)


def settle_uncounted(database: Database, *, dry_run: bool) -> Iterator[ReconciledItem]:
    """Count what is paid and not counted; a row for each order. With `dry_run` nothing is changed.

    What cannot be counted was told by an alert, or is told here, once.

    Raises:
        DatabaseUnavailable: try again; what was done stays done.
    """
    for query in (_SEATS, _USES):
        for order in _orders(database, query):
            row = _settle(database, order, dry_run=dry_run)
            if row is not None:
                yield row


def _orders(database: Database, query: str) -> Iterator[Row]:
    after = 0
    while True:
        with database.transaction() as tx:
            page = tx.all(query, OrderStatus.PAID, COUNTED_WITHIN_MINUTES, after, _PAGE_SIZE)
        yield from page
        if len(page) < _PAGE_SIZE:
            return
        after = page[-1]["id"]


def _settle(database: Database, order: Row, *, dry_run: bool) -> ReconciledItem | None:
    item = functools.partial(
        ReconciledItem, order_id=order["id"], session_id=order["stripe_checkout_session_id"], finding="uncounted"
    )
    if dry_run:
        return item(action="counted")
    try:
        seats = retried(lambda: count_ticket_sale(database, order["id"]))
        use = retried(lambda: count_discount_use(database, order["id"]))
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 -- one broken order must not stop the others
        return item(action="failed", note=f"the count failed with {type(error).__name__}")
    alerts: list[Alert] = [*seats.alerts, *use.alerts]
    if alerts and not order["is_off"]:
        return item(action="reported", note=" ".join(alert.message for alert in alerts))
    # `cachao doctor` lists what was reported before and is still off.
    return item(action="counted") if "counted" in {seats.result, use.result} else None
