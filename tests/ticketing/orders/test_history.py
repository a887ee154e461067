"""What is asked of an order's history: of this order, this event and this entry alone."""

from __future__ import annotations

import pytest

from tests.factories import create_order
from ticketing.database import Database
from ticketing.orders import history


@pytest.fixture
def orders(database: Database) -> tuple[int, int]:
    """Two orders; of the first it is written that it expired by evt_1, by this session and of so much."""
    first, second = create_order(database), create_order(database)
    with database.transaction() as tx:
        history.record(
            tx, order_id=first, entry="expired", stripe_event_id="evt_1", stripe_object_id="cs_1", amount_minor=700
        )
    return first, second


def test_an_entry_is_of_an_order_an_event_and_a_name(database: Database, orders: tuple[int, int]) -> None:
    first, second = orders
    with database.transaction() as tx:
        assert history.has(tx, order_id=first, entry="expired", stripe_event_id="evt_1")
        assert not history.has(tx, order_id=second, entry="expired", stripe_event_id="evt_1")
        assert not history.has(tx, order_id=first, entry="failed", stripe_event_id="evt_1")
        assert not history.has(tx, order_id=first, entry="expired", stripe_event_id="evt_2")


def test_of_a_name_the_beginning_is_enough(database: Database, orders: tuple[int, int]) -> None:
    first, second = orders
    with database.transaction() as tx:
        assert history.has_any(tx, order_id=first, prefix="exp", stripe_event_id="evt_1")
        assert not history.has_any(tx, order_id=first, prefix="fail", stripe_event_id="evt_1")
        assert not history.has_any(tx, order_id=second, prefix="exp", stripe_event_id="evt_1")
        assert not history.has_any(tx, order_id=first, prefix="exp", stripe_event_id="evt_2")


def test_an_entry_says_what_it_is_about_and_is_written_once(database: Database, orders: tuple[int, int]) -> None:
    with database.transaction() as tx:
        history.record(tx, order_id=orders[0], entry="expired", stripe_event_id="evt_1", amount_minor=9)
        rows = tx.all("SELECT order_id, entry, stripe_event_id, stripe_object_id, amount_minor FROM order_history")
    assert [tuple(row.values()) for row in rows] == [(orders[0], "expired", "evt_1", "cs_1", 700)]
