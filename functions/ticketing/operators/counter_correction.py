"""Puts counters right from what the orders say, without disturbing who buys meanwhile.

By how much a counter is off does not change while others buy (`ticketing.orders.sums`). So it is worked out without a
lock, and then added: a ticket's row is locked for that one statement. All corrections are one transaction, and each is
kept (`counter_corrections`). What comes after it, order by order, is safe to repeat: alerts are settled, and seats that
could not be counted are counted where they now can be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from ticketing.database import Database, Row, Transaction
from ticketing.errors import DatabaseUnavailable, DataInconsistent, OrderNotFound
from ticketing.orders import counters, counts_off, history, sums
from ticketing.orders.counters import BY_KIND, Correction, Kind
from ticketing.orders.counts_off import CountOff
from ticketing.orders.sums import CounterSums
from ticketing.payments.late_counts import count_rest_of_seats, count_rest_of_use

_TO_BE_COUNTED: Final = frozenset({"count_seats", "count_use"})
# Lambda answers with 6 MB at most.
_MOST: Final = 1000


class CountsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which counters: of one ticket, of one code; of neither means of all."""

    ticket_id: int | None = None
    code_id: int | None = None


class CounterState(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket's or a code's counters as stored, and as the orders say.

    Attributes:
        kind, counter_id: which.
        is_gone: there is no such row; the counters are 0 then.
        limit: what both counters together may be; None is no limit.
        counted, held: as stored.
        should_be_counted, should_be_held: as the orders say.
        before_us: the part of `should_be_counted` that was paid before this shop: whether it was counted then, nobody
            wrote down.
        may_be_sold_elsewhere: more is counted than orders say, of a row that is older than this shop: it may be right.
    """

    kind: Kind
    counter_id: int
    is_gone: bool
    limit: int | None
    counted: int
    held: int
    should_be_counted: int
    should_be_held: int
    before_us: int
    may_be_sold_elsewhere: bool

    @property
    def change(self) -> tuple[int, int]:
        """What has to be added to what is counted, and to what is held."""
        return self.should_be_counted - self.counted, self.should_be_held - self.held

    @property
    def is_off(self) -> bool:
        """Tell whether there is something to correct, and a row to correct it in."""
        return any(self.change) and not self.is_gone


class OrderOff(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a counter could not follow, and why, in a sentence."""

    order_id: int
    kind: Kind
    counter_id: int | None
    effect: str
    sentence: str


class CountsReport(msgspec.Struct, kw_only=True):
    """What is off, up to 1000 of each; of one ticket or code the counters are there also where nothing is off.

    Attributes:
        counters: as stored and as the orders say.
        orders: what is still to be settled with orders.
        more: there are more of either.
        corrected: how many counters were corrected.
        moved_on: something is off by another number than was seen, so nothing was corrected.
    """

    counters: list[CounterState]
    orders: list[OrderOff]
    more: bool = False
    corrected: int = 0
    moved_on: bool = False


def look(database: Database, wanted: CountsWanted) -> CountsReport:
    """Say what is off; changes nothing.

    Raises:
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        states, orders = _states(tx, wanted), _orders(tx, wanted)
    return CountsReport(counters=states[:_MOST], orders=orders[:_MOST], more=len(states) > _MOST or len(orders) > _MOST)


def put_right(
    database: Database,
    wanted: CountsWanted,
    *,
    seen: list[CounterState],
    by: str,
    reason: str | None,
) -> CountsReport:
    """Correct what was seen to be off, all of it or nothing; then settle and count what orders wait for.

    Args:
        database: the shop's.
        wanted: which counters were looked at.
        seen: what the operator has seen and wants corrected. Where one of them is off by another number by now nothing
            is corrected, and the answer says `moved_on`.
        by: who orders it.
        reason: why, in his words.

    Returns:
        What is off afterwards.

    Raises:
        DataInconsistent: a counter would get below 0. Nothing was changed.
        DatabaseUnavailable: try again; what was done stays done.
    """
    with _alone(database):
        with database.transaction() as tx:
            # In this order: whatever is found here is in what the next statement adds up.
            open_offs = _open(tx, wanted)
            states = {(state.kind, state.counter_id): state for state in _states(tx, wanted)}
        agreed = [state for state in seen if state.is_off]
        if any(_change_of(states, state) != state.change for state in agreed):
            report = look(database, wanted)
            report.moved_on = True
            return report
        _correct(database, agreed, by=by, reason=reason)
        done = {(state.kind, state.counter_id) for state in agreed}
        still_off = {key for key, state in states.items() if state.is_off} - done
        for off in open_offs:
            if (_kind(off), off["counter_id"]) not in still_off:
                _settle_order(database, off)
        report = look(database, wanted)
        report.corrected = len(agreed)
        return report


def _change_of(states: dict[tuple[Kind, int], CounterState], seen: CounterState) -> tuple[int, int]:
    now = states.get((seen.kind, seen.counter_id))
    return (0, 0) if now is None or now.is_gone else now.change


def _states(tx: Transaction, wanted: CountsWanted) -> list[CounterState]:
    return [state for kind, row_id in _wanted(wanted) for state in _states_of(tx, kind, row_id)]


def _states_of(tx: Transaction, kind: Kind, row_id: int | None) -> list[CounterState]:
    counter = BY_KIND[kind]
    found = sums.all_off(tx, counter) if row_id is None else sums.sums_of(tx, counter, row_id)
    all_found = found if isinstance(found, list) else [found] if found is not None else []
    high = [one.row_id for one in all_found if one.missing_counted < 0]
    ours = sums.sold_by_us_alone(tx, counter, high)
    return [_state(kind, one, may_be_right=one.row_id in high and one.row_id not in ours) for one in all_found]


def _state(kind: Kind, found: CounterSums, *, may_be_right: bool) -> CounterState:
    return CounterState(
        kind=kind,
        counter_id=found.row_id,
        is_gone=found.is_gone,
        limit=found.limit,
        counted=found.counted,
        held=found.held,
        should_be_counted=found.orders_counted + found.orders_before,
        should_be_held=found.orders_held,
        before_us=found.orders_before,
        may_be_sold_elsewhere=may_be_right,
    )


def _wanted(wanted: CountsWanted) -> list[tuple[Kind, int | None]]:
    """Give the kinds, tickets before codes: the lock order."""
    named: list[tuple[Kind, int | None]] = [("ticket", wanted.ticket_id), ("code", wanted.code_id)]
    return [(kind, row_id) for kind, row_id in named if row_id is not None] or named


def _correct(database: Database, agreed: list[CounterState], *, by: str, reason: str | None) -> None:
    with database.transaction() as tx:
        # Tickets before codes, the lower id first: as everybody else locks them.
        for state in sorted(agreed, key=lambda one: (one.kind != "ticket", one.counter_id)):
            counted, held = state.change
            refused = counters.move(tx, BY_KIND[state.kind], state.counter_id, counted=counted, held=held)
            if refused is not None:
                raise DataInconsistent(
                    f"The counters of {state.kind} {state.counter_id} cannot be changed by {counted:+} and {held:+}:"
                    f" {refused}. Nothing was changed."
                )
            done = Correction(
                kind=state.kind, counter_id=state.counter_id, by=by, reason=reason, counted=counted, held=held
            )
            counters.record(tx, done)


def _settle_order(database: Database, off: Row) -> None:
    """Settle what a counter could not follow, now that it is right; what was to be counted is counted first.

    What went back without its counter is right by the correction. Of a row that is gone nothing is left to be put
    right.
    """
    if off["effect"] in _TO_BE_COUNTED:
        count = count_rest_of_seats if off["effect"] == "count_seats" else count_rest_of_use
        try:
            if not count(database, off["order_id"]):
                return
        except OrderNotFound:
            pass  # nobody waits for it any more
        except DataInconsistent:
            return
    with database.transaction() as tx:
        # An order that is gone has no row to be locked, and its alert is settled all the same.
        tx.one("SELECT id FROM ticket_orders WHERE id = %s FOR UPDATE", off["order_id"])
        # What was found anew since then is another case.
        tx.change(
            "UPDATE counts_off SET settled_at = UTC_TIMESTAMP(6)"
            " WHERE id = %s AND found_at = %s AND settled_at IS NULL",
            off["id"],
            off["found_at"],
        )
        history.record(
            tx, order_id=off["order_id"], entry="counts_corrected", stripe_event_id=f"cachao_counts_{off['id']}"
        )


def _orders(tx: Transaction, wanted: CountsWanted) -> list[OrderOff]:
    return [
        OrderOff(
            order_id=row["order_id"],
            kind=_kind(row),
            counter_id=row["counter_id"],
            effect=row["effect"],
            sentence=counts_off.sentence(
                row["order_id"],
                CountOff(
                    effect=row["effect"],
                    counter_id=row["counter_id"],
                    amount=int(row["amount"]),
                    reason=row["reason"],
                ),
            ),
        )
        for row in _open(tx, wanted)
    ]


def _open(tx: Transaction, wanted: CountsWanted) -> list[Row]:
    rows = tx.all(
        "SELECT id, order_id, effect, counter_id, amount, reason, found_at FROM counts_off"
        " WHERE settled_at IS NULL ORDER BY id"
    )
    kinds = _wanted(wanted)
    return [row for row in rows for kind, row_id in kinds if _kind(row) == kind and row_id in {None, row["counter_id"]}]


def _kind(off: Row) -> Kind:
    return "ticket" if off["effect"] in counts_off.OF_SEATS else "code"


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Let no other correction run: both would add what is missing."""
    with database.transaction() as tx:
        row = tx.one("SELECT GET_LOCK(CONCAT('cachao_counts_', DATABASE()), 0) AS mine")
    if row is None or row["mine"] != 1:
        raise DatabaseUnavailable("Another correction of counters is running. Try again in a minute.")
    try:
        yield
    finally:
        # With a connection that was lost its lock is gone, too.
        with contextlib.suppress(DatabaseUnavailable), database.transaction() as tx:
            tx.one("SELECT RELEASE_LOCK(CONCAT('cachao_counts_', DATABASE()))")
