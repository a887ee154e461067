"""What is written down of counters that could not follow, and how it is told; what comes of it: tests of payments."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.factories import create_order
from ticketing.database import Database
from ticketing.orders import counts_off, history
from ticketing.orders.counts_off import CountOff

SEATS = CountOff(effect="count_seats", counter_id=7, amount=2, reason="no_room")
USE = CountOff(effect="count_use", counter_id=8, amount=1, reason="gone")
EARLIER = datetime(2026, 1, 1)  # noqa: DTZ001 -- UTC, as the database has it


def test_what_is_off_is_told_with_the_commands_that_show_it() -> None:
    alert = counts_off.alert_of(5, [SEATS, USE])
    assert alert.message == (
        "2 seats of order 5 are not counted as sold: ticket 7 has too few left."
        " 1 discount use of order 5 is not counted as used: discount code 8 is gone."
    )
    assert alert.what_to_do == (
        "check the counters: cachao counts --ticket 7; cachao counts --code 8. To correct them from the orders, add"
        " --yes."
    )


def test_where_nobody_knows_which_counter_all_are_looked_at() -> None:
    unknown = CountOff(effect="release_use", counter_id=None, amount=1, reason="gone")
    assert counts_off.commands([unknown]) == ["cachao counts --all"]
    assert counts_off.commands([unknown, USE, USE]) == ["cachao counts --code 8"]
    assert "discount code (unknown) is gone" in counts_off.sentence(5, unknown)


def test_what_is_settled_stays_settled_since_then(database: Database) -> None:
    order = create_order(database)
    with database.transaction() as tx:
        counts_off.record(tx, order, SEATS)
        tx.change("UPDATE counts_off SET settled_at = %s", EARLIER)
        counts_off.settle(tx, order, "count_seats")
        row = tx.one("SELECT settled_at FROM counts_off")
    assert row == {"settled_at": EARLIER}


@pytest.mark.parametrize("was_settled", [True, False])
def test_what_is_off_again_is_found_anew(database: Database, was_settled: bool) -> None:
    order = create_order(database)
    with database.transaction() as tx:
        counts_off.record(tx, order, SEATS)
        tx.change("UPDATE counts_off SET found_at = %s, settled_at = %s", EARLIER, EARLIER if was_settled else None)
        counts_off.record(tx, order, SEATS)
        row = tx.one("SELECT found_at, settled_at FROM counts_off")
    assert row is not None
    assert (row["found_at"] == EARLIER) is not was_settled
    assert row["settled_at"] is None


def test_an_alert_is_of_one_order_and_of_what_is_still_off(database: Database) -> None:
    order, other = create_order(database), create_order(database)
    history.written_by("arn:aws:states:eu-west-1:123456789012:execution:machine:1")
    with database.transaction() as tx:
        for number in (order, other):
            counts_off.record(tx, number, SEATS)
            counts_off.record(tx, number, USE)
        counts_off.settle(tx, order, "count_use")
        alerts = counts_off.due_alerts(tx, order)
        told = tx.all("SELECT order_id FROM counts_off WHERE told_by IS NOT NULL")
    assert [alert.message for alert in alerts] == [counts_off.sentence(order, SEATS)]
    assert told == [{"order_id": order}]
