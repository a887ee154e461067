"""What a counter could not follow (`counts_off`): kept with the order, told once, until it is put right.

That money came or went is recorded whether or not a counter can move (docs/rules.md, "Money first"). So a counter that
cannot is no error; it is written down here, in the same transaction, and the order gets one alert, `CountsOff`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Row, Transaction
from ticketing.orders import history
from ticketing.orders.counters import Reason

Effect = Literal["count_seats", "return_seats", "release_seats", "count_use", "return_use", "release_use"]

OF_SEATS: Final[frozenset[Effect]] = frozenset({"count_seats", "return_seats", "release_seats"})
OF_USES: Final[frozenset[Effect]] = frozenset({"count_use", "return_use", "release_use"})

# A column for a reader of ticket_orders: whether something is off about the order.
IS_OFF: Final = (
    "EXISTS (SELECT 1 FROM counts_off AS o WHERE o.order_id = ticket_orders.id AND o.settled_at IS NULL) AS is_off"
)
# A condition of a statement that changes the order `o`: nothing is off about it. Such a statement locks what it reads:
# by this index the order's own rows only. They are counted, since MariaDB makes a scan of the table of an EXISTS here.
IS_NOT_OFF: Final = (
    "(SELECT COUNT(*) FROM counts_off AS f FORCE INDEX (counts_off_once)"
    " WHERE f.order_id = o.id AND f.settled_at IS NULL) = 0"
)

_COUNTED_TO: Final[dict[Effect, str]] = {
    "count_seats": "not counted as sold",
    "return_seats": "not subtracted from the sold count",
    "release_seats": "not subtracted from the held count",
    "count_use": "not counted as used",
    "return_use": "not subtracted from the used count",
    "release_use": "not subtracted from the held count",
}


class CountOff(msgspec.Struct, frozen=True, kw_only=True):
    """One counter that could not follow its order.

    Attributes:
        effect: what should have been counted.
        counter_id: the ticket or the discount code; None where nobody knows which.
        amount: how many seats or uses the counter is off by.
        reason: why it could not be moved.
    """

    effect: Effect
    counter_id: int | None
    amount: int
    reason: Reason

    @property
    def is_of_seats(self) -> bool:
        """Tell whether a ticket's counter is off, and not a code's."""
        return self.effect in OF_SEATS


def record(tx: Transaction, order_id: int, off: CountOff) -> None:
    """Write down what could not be counted, once for an order and an effect. The order is locked."""
    tx.change(
        # Of what was put right meanwhile this is a new case, which is told again.
        "INSERT INTO counts_off (order_id, effect, counter_id, amount, reason) VALUES (%s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE told_by = IF(settled_at IS NULL, told_by, NULL),"
        " found_at = IF(settled_at IS NULL, found_at, VALUES(found_at)), settled_at = NULL,"
        " counter_id = VALUES(counter_id), amount = VALUES(amount), reason = VALUES(reason)",
        order_id,
        off.effect,
        off.counter_id,
        off.amount,
        off.reason,
    )


def settle(tx: Transaction, order_id: int, effect: Effect) -> None:
    """Note that a counter has followed its order after all. The order is locked."""
    tx.change(
        "UPDATE counts_off SET settled_at = UTC_TIMESTAMP(6)"
        " WHERE order_id = %s AND effect = %s AND settled_at IS NULL",
        order_id,
        effect,
    )


def due_alerts(tx: Transaction, order_id: int, *, of: Collection[Effect] = OF_SEATS | OF_USES) -> list[Alert]:
    """Give the alert that this execution owes about an order: one, or none.

    An order has one alert for all that is off, however many executions come upon it. The first one that asks keeps it,
    so that a step that is tried again answers the same. Whoever is no execution (a command, reconciliation) says it to
    the operator who waits, and leaves the alert to the next execution.

    `of` bounds what the alert speaks of: of two steps that run beside each other each tells its own. The order is
    locked.
    """
    rows = _open(tx, order_id)
    execution_id = history.writing_execution()
    if execution_id is not None:
        told_by = next((row["told_by"] for row in rows if row["told_by"] is not None), execution_id)
        for row in rows:
            if row["told_by"] is None:
                tx.change("UPDATE counts_off SET told_by = %s WHERE id = %s AND told_by IS NULL", told_by, row["id"])
        if told_by != execution_id:
            return []
    return _alerts(order_id, rows, of)


def open_alerts(tx: Transaction, order_id: int) -> list[Alert]:
    """Give the alert about an order whose counts are off, for an operator who waits; another is told all the same."""
    return _alerts(order_id, _open(tx, order_id), OF_SEATS | OF_USES)


def alert_of(order_id: int, offs: Collection[CountOff]) -> Alert:
    """Give the alert about an order whose counts are off."""
    return Alert(
        name="CountsOff",
        message=" ".join(sentence(order_id, off) for off in offs),
        what_to_do="check the counters: " + "; ".join(commands(offs)) + ". To correct them from the orders, add --yes.",
    )


def sentence(order_id: int, off: CountOff) -> str:
    """Say in a sentence what could not be counted, and why."""
    number = f"{off.amount} {'seat' if off.is_of_seats else 'discount use'}{'' if off.amount == 1 else 's'}"
    verb = "is" if off.amount == 1 else "are"
    what = "ticket" if off.is_of_seats else "discount code"
    counter = f"{what} {off.counter_id if off.counter_id is not None else '(unknown)'}"
    if off.reason == "unknown":
        return (
            f"Nobody knows whether {number} of order {order_id} {verb} counted: the order was paid before this shop"
            f" replaced the old one, and the counter of {counter} is lower than its paid orders. It was not changed."
        )
    why = {
        "gone": f"{counter} is gone",
        "too_low": f"the counter of {counter} is lower than that",
        "no_room": f"{counter} has too few left",
    }[off.reason]
    return f"{number} of order {order_id} {verb} {_COUNTED_TO[off.effect]}: {why}."


def commands(offs: Collection[CountOff]) -> list[str]:
    """Give the commands that show the counters that are off, each once."""
    named = dict.fromkeys(
        f"cachao counts --ticket {off.counter_id}" if off.is_of_seats else f"cachao counts --code {off.counter_id}"
        for off in offs
        if off.counter_id is not None
    )
    return list(named) or ["cachao counts --all"]


def _open(tx: Transaction, order_id: int) -> list[Row]:
    return tx.all(
        "SELECT id, effect, counter_id, amount, reason, told_by FROM counts_off"
        " WHERE order_id = %s AND settled_at IS NULL ORDER BY id",
        order_id,
    )


def _alerts(order_id: int, rows: list[Row], of: Collection[Effect]) -> list[Alert]:
    offs = [_read(row) for row in rows if row["effect"] in of]
    return [alert_of(order_id, offs)] if offs else []


def _read(row: Row) -> CountOff:
    return CountOff(effect=row["effect"], counter_id=row["counter_id"], amount=int(row["amount"]), reason=row["reason"])
