"""Live orders may have foreign keys to tickets, codes and events: checkouts at once do not deadlock on them."""

from __future__ import annotations

from collections import Counter

import pytest

from local.database.mariadb import MariaDB
from tests.conftest import Connect
from tests.factories import create_code, create_ticket, row_of
from tests.handlers.api.test_concurrent_checkouts import at_once, buy, check_sums
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable
from ticketing.orders import holds
from ticketing.schema.runner import apply_migrations

BUYERS, ROUNDS = 20, 10


@pytest.fixture
def with_keys(empty_schema: Connect, mariadb: MariaDB) -> Connect:
    """A migrated database whose orders have foreign keys, as the shop before this one may have made them."""
    apply_migrations(empty_schema)
    root = mariadb.connect(user="root", database=f"{mariadb.name}_empty")
    root.query(
        "ALTER TABLE ticket_orders ADD FOREIGN KEY (ticket_id) REFERENCES tickets (id),"
        " ADD FOREIGN KEY (discount_code_id) REFERENCES discount_codes (id),"
        " ADD FOREIGN KEY (event_id) REFERENCES events (id)"
    )
    root.close()
    return empty_schema


def test_twenty_buyers_at_once_all_get_their_seats(with_keys: Connect) -> None:
    database = Database(with_keys)
    ticket_id = create_ticket(database, max_quantity=1000)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    results: Counter[str] = Counter()
    for _ in range(ROUNDS):
        results += at_once(BUYERS, with_keys, lambda own, _: buy(own, ticket_id, event_id))
    assert results == {"ordered": BUYERS * ROUNDS}
    check_sums(database, ticket_id)


def test_twenty_buyers_at_once_share_a_code(with_keys: Connect) -> None:
    database = Database(with_keys)
    ticket_id = create_ticket(database, max_quantity=1000)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    create_code(database, event_id=event_id, code="SALSA10", max_uses=1000)
    results: Counter[str] = Counter()
    for turn in range(ROUNDS):

        def buy_with_code(own: Database, number: int, turn: int = turn) -> str:
            # By a key of its own for each: the key's row is locked besides.
            key = f"key-{turn}-{number}"
            return buy(own, ticket_id, event_id, discount_code="salsa10", idempotency_key=key)

        results += at_once(BUYERS, with_keys, buy_with_code)
    assert results == {"ordered": BUYERS * ROUNDS}
    check_sums(database, ticket_id)


def test_control_they_deadlock_when_the_order_is_inserted_first(with_keys: Connect) -> None:
    database = Database(with_keys)
    ticket_id = create_ticket(database, max_quantity=1000)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]

    def insert_then_hold(own: Database, _: int) -> str:
        try:
            with own.transaction() as tx:
                tx.insert(
                    "INSERT INTO ticket_orders (event_id, ticket_id, email, unit_price, total_amount)"
                    " VALUES (%s, %s, 'jo@example.com', 20, 20)",
                    event_id,
                    ticket_id,
                )
                holds.take_seats(tx, ticket_id=ticket_id, quantity=1)
        except DatabaseUnavailable as error:
            return "deadlock" if "1213" in str(error) else "other"
        return "ordered"

    results: Counter[str] = Counter()
    for _ in range(ROUNDS):
        results += at_once(BUYERS, with_keys, insert_then_hold)
    assert results["deadlock"] > 0
