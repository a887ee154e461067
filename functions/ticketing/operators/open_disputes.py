"""Lists the disputes that nobody has decided yet, the nearest deadline first: a bank decides alone after it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ticketing.database import Database, Row
from ticketing.dates import utc_value
from ticketing.stripe.states import AWAITS_ANSWER


class DisputesWanted(msgspec.Struct, kw_only=True):
    """Which disputes: the open ones, at most `limit`."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class ListedDisputes(msgspec.Struct, kw_only=True):
    """The open disputes with their orders' status, the nearest deadline first, those without one last; times are UTC.

    `awaits_answer` of each: somebody has to answer the bank; otherwise that was done. `more`: there are more.
    """

    disputes: list[Row]
    more: bool


def list_open_disputes(database: Database, wanted: DisputesWanted) -> ListedDisputes:
    """List the open disputes.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        rows = tx.all(
            "SELECT d.stripe_dispute_id, d.order_id, o.status AS order_status, d.payment_key, d.amount_minor,"
            " d.currency, d.status, d.phase, d.reason, d.due_by, d.reported_at FROM order_disputes AS d"
            " LEFT JOIN ticket_orders AS o ON o.id = d.order_id WHERE d.is_open = 1"
            " ORDER BY d.due_by IS NULL, d.due_by, d.stripe_dispute_id LIMIT %s",
            wanted.limit + 1,
        )
    return ListedDisputes(disputes=[_shown(row) for row in rows[: wanted.limit]], more=len(rows) > wanted.limit)


def _shown(row: Row) -> Row:
    return {name: utc_value(value) for name, value in row.items()} | {"awaits_answer": row["status"] in AWAITS_ANSWER}
