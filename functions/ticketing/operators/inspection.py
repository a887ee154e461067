"""What the database knows of an order, and how the shop's tables are doing: for operators, and read only.

Nothing of the buyer's is read: no e-mail address, no name, no account. What is read here gets into logs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from ticketing.database import Database, Row, Transaction
from ticketing.dates import utc_value
from ticketing.orders.status import LIVE
from ticketing.schema import server

# Beyond this many a number says no more than "very many", and counting would cost more than knowing.
_COUNT_AT_MOST: Final = 1000
# A hold that has just ended is still waiting for its own checkout.session.expired, or for the sweep of every
# quarter of an hour: only what both have missed is past its hold.
_GRACE_MINUTES: Final = 20
# An order of the time before holds existed does not say how long its buyer has; Stripe's shortest session is this long.
_UNTIMED_MINUTES: Final = 30

_ORDER: Final = (
    "id, event_id, ticket_id, quantity, unit_price, discount_amount, discount_code_id, total_amount, currency, status,"
    " stripe_checkout_session_id, stripe_payment_intent_id, held_quantity, code_held, hold_expires_at, next_check_at,"
    " paid_at, ticket_counted_at, ticket_returned_at, discount_counted_at, discount_returned_at, refunded_amount,"
    " validated_at, order_mark, asked_minor, asked_currency, created_at, updated_at"
)
_PAYMENT: Final = (
    "payment_key, stripe_checkout_session_id, stripe_payment_intent_id, role, amount_minor, currency,"
    " presented_minor, presented_currency, charge_refunded_minor, refunded_minor, stripe_charge_id, created_at"
)
_REFUND: Final = "stripe_refund_id, payment_key, amount_minor, status, created_at"
_DISPUTE: Final = (
    "stripe_dispute_id, payment_key, stripe_charge_id, amount_minor, currency, status, phase, is_open, reason, due_by,"
    " funds_withdrawn_at, funds_reinstated_at, reported_at, created_at"
)
_HISTORY: Final = "entry, stripe_event_id, stripe_object_id, amount_minor, execution_id, recorded_at"
_CORRECTION: Final = (
    "id, kind, request, changes, corrected_by, reason, payment_key, amount_minor, corrected_at, done_at"
)
_TICKET: Final = "id, name, max_quantity, sold_quantity, held_quantity, is_active"
# Not the code itself: what is read here gets into logs, and whoever reads the code there may use it.
_CODE: Final = "id, max_uses, used_count, held_count, is_active"


class InspectedOrder(msgspec.Struct, kw_only=True):
    """An order and all that belongs to it, oldest first. Columns as the tables name them; times are UTC.

    `corrections`: what operators corrected; `changes` is JSON.
    `ticket` and `code` say what room there is; None where there is no such row (any more), or no code.
    """

    order: Row
    ticket: Row | None
    code: Row | None
    payments: list[Row]
    refunds: list[Row]
    disputes: list[Row]
    corrections: list[Row]
    history: list[Row]


class DatabaseHealth(msgspec.Struct, kw_only=True):
    """The state of the shop's tables; `past_hold` counts unpaid orders that are long due, up to 1000.

    Their hold has ended, or the next question about them should have been asked. `write_obstacle` says why the server
    refuses every write, in a sentence; `server_version` is its own word.
    """

    past_hold: int
    oldest_past_hold: datetime | None
    without_hold: int
    write_obstacle: str | None
    server_version: str


def find_order(  # noqa: PLR0913 -- one of them is given
    database: Database,
    *,
    order_id: int | None = None,
    session_id: str | None = None,
    payment_intent_id: str | None = None,
    stripe_event_id: str | None = None,
    refund_id: str | None = None,
    dispute_id: str | None = None,
    charge_id: str | None = None,
) -> InspectedOrder | None:
    """Find an order by its id, or by the id of something at Stripe that belongs to it.

    A charge is known as soon as an event of a refund or a dispute named it.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        found = (
            order_id
            or _order_of(tx, session_id, payment_intent_id, stripe_event_id)
            or _order_of_money_back(tx, refund_id, dispute_id, charge_id)
        )
        order = found and tx.one(
            f"SELECT {_ORDER} FROM ticket_orders WHERE id = %s",  # noqa: S608 -- constants
            found,
        )
        if not order:
            return None
        return InspectedOrder(
            order=_plain(order),
            ticket=_row(tx, _TICKET, "tickets", order["ticket_id"]),
            code=_row(tx, _CODE, "discount_codes", order["discount_code_id"]),
            payments=_rows(tx, _PAYMENT, "order_payments", order["id"], "id"),
            # A lost dispute was kept as a refund with the status `lost`, before disputes had a table of their own.
            refunds=[
                row
                for row in _rows(tx, _REFUND, "order_refunds", order["id"], "created_at, stripe_refund_id")
                if row["status"] != "lost"
            ],
            disputes=_rows(tx, _DISPUTE, "order_disputes", order["id"], "created_at, stripe_dispute_id"),
            corrections=_rows(tx, _CORRECTION, "order_corrections", order["id"], "id"),
            history=_requests_first(_rows(tx, _HISTORY, "order_history", order["id"], "id")),
        )


def database_health(database: Database) -> DatabaseHealth:
    """Count the orders that wait for longer than they should.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        late = tx.one(
            "SELECT COUNT(*) AS number, MIN(due) AS oldest FROM ("
            "(SELECT hold_expires_at AS due FROM ticket_orders WHERE status IN %s"
            " AND next_check_at IS NULL AND hold_expires_at < UTC_TIMESTAMP() - INTERVAL %s MINUTE LIMIT %s)"
            " UNION ALL (SELECT next_check_at AS due FROM ticket_orders WHERE status IN %s"
            " AND next_check_at < UTC_TIMESTAMP() - INTERVAL %s MINUTE LIMIT %s) LIMIT %s) AS late",
            LIVE,
            _GRACE_MINUTES,
            _COUNT_AT_MOST,
            LIVE,
            _GRACE_MINUTES,
            _COUNT_AT_MOST,
            _COUNT_AT_MOST,
        )
        old = tx.one(
            "SELECT COUNT(*) AS number FROM (SELECT id FROM ticket_orders WHERE status IN %s"
            " AND hold_expires_at IS NULL AND next_check_at IS NULL"
            " AND (created_at < UTC_TIMESTAMP() - INTERVAL %s MINUTE OR created_at IS NULL) LIMIT %s) AS old",
            LIVE,
            _UNTIMED_MINUTES,
            _COUNT_AT_MOST,
        )
        settings = tx.one(server.SETTINGS)
        version = tx.one("SELECT VERSION() AS version")
    late, old = late or {}, old or {}
    return DatabaseHealth(
        past_hold=late.get("number", 0),
        oldest_past_hold=utc_value(late.get("oldest")),
        without_hold=old.get("number", 0),
        write_obstacle=None if settings is None else server.write_obstacle(**settings),
        server_version="" if version is None else str(version["version"]),
    )


def _order_of(
    tx: Transaction,
    session_id: str | None,
    payment_intent_id: str | None,
    stripe_event_id: str | None,
) -> int | None:
    if session_id is not None:
        # The second session that paid an order is not the order's own.
        return _id(
            tx.one("SELECT id FROM ticket_orders WHERE stripe_checkout_session_id = %s LIMIT 1", session_id)
        ) or _id(
            tx.one(
                "SELECT order_id AS id FROM order_payments WHERE stripe_checkout_session_id = %s LIMIT 1", session_id
            )
        )
    if payment_intent_id is not None:
        return _id(
            tx.one("SELECT order_id AS id FROM order_payments WHERE payment_key = %s LIMIT 1", payment_intent_id)
        ) or _id(tx.one("SELECT id FROM ticket_orders WHERE stripe_payment_intent_id = %s LIMIT 1", payment_intent_id))
    if stripe_event_id is not None:
        return _id(
            tx.one("SELECT order_id AS id FROM order_history WHERE stripe_event_id = %s LIMIT 1", stripe_event_id)
        )
    return None


def _order_of_money_back(
    tx: Transaction, refund_id: str | None, dispute_id: str | None, charge_id: str | None
) -> int | None:
    if refund_id is not None:
        return _id(tx.one("SELECT order_id AS id FROM order_refunds WHERE stripe_refund_id = %s", refund_id))
    if dispute_id is not None:
        return _id(tx.one("SELECT order_id AS id FROM order_disputes WHERE stripe_dispute_id = %s", dispute_id))
    if charge_id is not None:
        return _id(
            tx.one("SELECT order_id AS id FROM order_payments WHERE stripe_charge_id = %s LIMIT 1", charge_id)
        ) or _id(tx.one("SELECT order_id AS id FROM order_disputes WHERE stripe_charge_id = %s LIMIT 1", charge_id))
    return None


def _id(row: Row | None) -> int | None:
    return None if row is None else int(row["id"])


def _rows(tx: Transaction, columns: str, table: str, order_id: int, order_by: str) -> list[Row]:
    found = tx.all(
        f"SELECT {columns} FROM {table} WHERE order_id = %s ORDER BY {order_by}",  # noqa: S608 -- constants
        order_id,
    )
    return [_plain(row) for row in found]


def _row(tx: Transaction, columns: str, table: str, row_id: int | None) -> Row | None:
    if row_id is None:
        return None
    found = tx.one(f"SELECT {columns} FROM {table} WHERE id = %s", row_id)  # noqa: S608 -- constants
    return None if found is None else _plain(found)


def _requests_first(history: list[Row]) -> list[Row]:
    """Put the request of a refund before what came of it: both are written at once, the request last."""
    ordered: list[Row] = []
    for entry in history:
        refund = entry["stripe_object_id"]
        of_refund = (at for at, before in enumerate(ordered) if refund and before["stripe_object_id"] == refund)
        at = next(of_refund, None) if entry["entry"] == "refund_requested" else None
        ordered.insert(len(ordered) if at is None else at, entry)
    return ordered


def _plain(row: Row) -> Row:
    return {name: utc_value(value) for name, value in row.items()}
