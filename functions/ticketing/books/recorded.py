"""The other way round: what the books have recorded, and whether Stripe has it.

What moved at Stripe in a span of time is mostly recorded in the same: so what the books recorded then is held against
the lines that were listed, and only what is not among them is asked about, one by one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.books.lines import BookLine, Name
from ticketing.database import Database, Row
from ticketing.stripe.balance import Movement
from ticketing.stripe.states import NOTHING_WENT_BACK, DisputePhase

Kind = Literal["payment", "refund", "dispute"]
KINDS: Final[tuple[Kind, ...]] = ("payment", "refund", "dispute")
# Lost disputes were refunds with this status before `order_disputes` was (migration 0013).
_LOST: Final = "lost"
_LONG_AGO: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- as the database has times: UTC, without a zone
# Where there is none of these, nothing of the shop's moved: an order that was free, one that was marked paid by hand.
_AT_STRIPE: Final = "pi\\_%"
_SELECTS: Final[dict[Kind, str]] = {
    "payment": (
        "SELECT id AS place, payment_key AS object_id, payment_key, order_id, amount_minor, currency, created_at"
        " FROM order_payments WHERE created_at >= %s AND created_at < %s AND (created_at > %s OR id > %s)"
        " AND payment_key LIKE %s AND amount_minor > 0 ORDER BY created_at, id LIMIT %s"
    ),
    "refund": (
        "SELECT r.stripe_refund_id AS place, r.stripe_refund_id AS object_id, r.payment_key, r.order_id,"
        " -r.amount_minor AS amount_minor, p.currency, r.created_at FROM order_refunds AS r"
        " JOIN order_payments AS p ON p.order_id = r.order_id AND p.payment_key = r.payment_key"
        " WHERE r.created_at >= %s AND r.created_at < %s AND (r.created_at > %s OR r.stripe_refund_id > %s)"
        " AND r.status NOT IN %s ORDER BY r.created_at, r.stripe_refund_id LIMIT %s"
    ),
    "dispute": (
        "SELECT stripe_dispute_id AS place, stripe_dispute_id AS object_id, payment_key, order_id,"
        " -amount_minor AS amount_minor, currency, created_at FROM order_disputes"
        " WHERE created_at >= %s AND created_at < %s AND (created_at > %s OR stripe_dispute_id > %s)"
        " AND phase IN %s ORDER BY created_at, stripe_dispute_id LIMIT %s"
    ),
}
_CHOSEN: Final[dict[Kind, object]] = {
    "payment": _AT_STRIPE,
    "refund": (*sorted(NOTHING_WENT_BACK), _LOST),
    "dispute": (DisputePhase.OPENED, DisputePhase.LOST),
}


class RecordedItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A payment, refund or dispute of the books. Its amount is below 0 where money left; `recorded_at` is Unix time."""

    kind: Kind
    object_id: str
    payment_key: str
    order_id: int
    amount_minor: int
    currency: str
    recorded_at: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The last row of a page: its time and its key."""

    time: datetime
    key: int | str


class RecordedPage(msgspec.Struct, kw_only=True):
    """A page of what was recorded; `after` None: there is no more."""

    items: list[RecordedItem]
    after: Place | None


def recorded(
    database: Database, kind: Kind, since: int, until: int, *, after: Place | None, limit: int
) -> RecordedPage:
    """Give what of a kind was recorded from `since` on and before `until` (Unix time), the oldest first.

    Raises:
        DatabaseUnavailable: try again.
    """
    # Each page is read from its own place on, not from the beginning of the span.
    begin, place = (_time(since), (_LONG_AGO, 0)) if after is None else (after.time, (after.time, after.key))
    with database.transaction() as tx:
        rows = tx.all(_SELECTS[kind], begin, _time(until), *place, _CHOSEN[kind], limit)
    last = rows[-1] if len(rows) == limit else None
    return RecordedPage(
        items=[_item(kind, row) for row in rows],
        after=None if last is None else Place(time=last["created_at"], key=last["place"]),
    )


def compare(item: RecordedItem, found: Movement | None, *, since: int, until: int) -> BookLine | None:
    """Say what is wrong with something that was recorded and is not among the lines of a span; None: nothing is.

    `found` is what Stripe says of it now. It may have moved before the span, or after it.
    """
    if found is None:
        return _named(item, _NOT_THERE[item.kind], "Stripe has none of this id, in this account and mode.")
    if item.kind == "payment" and not found.moved_at and found.status != "succeeded":
        return _named(item, Name.PAYMENT_NOT_AT_STRIPE, f"Stripe took no money: it says {found.status}.")
    if item.kind == "refund" and found.status in NOTHING_WENT_BACK:
        return _named(
            item,
            Name.REFUND_FAILURE_NOT_RECORDED,
            f"Stripe says that it is {found.status}: the buyer of order {item.order_id} still waits for the money.",
        )
    if item.kind == "dispute" and not found.moved_at:
        return _named(item, Name.DISPUTE_DIFFERS, f"The bank took nothing: Stripe says {found.status}.")
    if any(since <= moved < until for moved in found.moved_at):
        return _named(item, _NOT_THERE[item.kind], "Stripe has it, and does not list what moved for it.")
    return None


def not_looked_up(item: RecordedItem) -> BookLine:
    """Name what was recorded, is not among the lines, and was not asked about: there are too many of these."""
    return _named(item, Name.NOT_LOOKED_UP, "Stripe did not list it, and was not asked for it: there are too many.")


def _named(item: RecordedItem, name: Name, what: str) -> BookLine:
    advice = f"run: cachao show {item.order_id}, and cachao stripe {item.object_id}, which asks in this mode."
    if name is Name.NOT_LOOKED_UP:
        advice = "run it again for a wider span: what was paid long before it was recorded is in it then."
    return BookLine(
        name=name,
        category="books",
        created=item.recorded_at,
        object_id=item.object_id,
        order_id=item.order_id,
        payment_key=item.payment_key,
        books_currency=item.currency,
        books_minor=item.amount_minor,
        what=f"The books have {money.format_amount(item.amount_minor, item.currency)}. {what}",
        to_do=advice,
    )


_NOT_THERE: Final[dict[Kind, Name]] = {
    "payment": Name.PAYMENT_NOT_AT_STRIPE,
    "refund": Name.REFUND_NOT_AT_STRIPE,
    "dispute": Name.DISPUTE_NOT_AT_STRIPE,
}


def _item(kind: Kind, row: Row) -> RecordedItem:
    return RecordedItem(
        kind=kind,
        object_id=row["object_id"],
        payment_key=row["payment_key"],
        order_id=row["order_id"],
        amount_minor=int(row["amount_minor"]),
        currency=str(row["currency"]).lower(),
        recorded_at=int(row["created_at"].replace(tzinfo=UTC).timestamp()),
    )


def _time(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC).replace(tzinfo=None)
