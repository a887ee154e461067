"""Every statement of the checkout and of the reading routes uses an index, however large the tables are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Connect
from tests.factories import create_code, create_event, create_ticket
from tests.handlers.api.conftest import Api
from ticketing.checkout import idempotency
from ticketing.database import Database, Finish, Statement, Transaction

ROWS = 20_000


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """Collect every statement, with its parameters."""
    seen: list[tuple[str, tuple[object, ...]]] = []

    def watching(real: Callable[..., Any]) -> Callable[..., Any]:
        def run(tx: Transaction, sql: str, *parameters: object) -> Any:
            seen.append((sql, parameters))
            return real(tx, sql, *parameters)

        return run

    def finish(tx: Transaction, guarded: Sequence[Statement], others: Sequence[Statement] = ()) -> Finish:
        seen.extend((each.sql, each.parameters) for each in (*guarded, *others))
        return real_finish(tx, guarded, others)

    for name in ("one", "all", "change"):
        monkeypatch.setattr(Transaction, name, watching(getattr(Transaction, name)))
    real_finish = Transaction.finish
    monkeypatch.setattr(Transaction, "finish", finish)
    return seen


def fill(database: Database, event_id: int, ticket_id: int) -> None:
    with database.transaction() as tx:
        tx.change("INSERT INTO events (name) SELECT CONCAT('Event ', seq) FROM seq_1_to_2000")
        tx.change(
            "INSERT INTO tickets (event_id, name, price, max_quantity)"
            " SELECT id, 'Standard', 20, 100 FROM events WHERE id <> %s",
            event_id,
        )
        tx.change(
            "INSERT INTO ticket_discounts (ticket_id, discount_type, discount_value, valid_until)"
            " SELECT id, 'fixed', 1, UTC_DATE() FROM tickets"
        )
        tx.change(
            "INSERT INTO discount_codes (event_id, code, discount_type, discount_value)"
            " SELECT id, CONCAT('CODE', id), 'fixed', 1 FROM events"
        )
        tx.change(
            "INSERT INTO ticket_orders (event_id, ticket_id, cognito_sub, email, quantity, unit_price, total_amount,"
            " status, stripe_checkout_session_id, hold_expires_at)"
            " SELECT %s, %s, CONCAT('sub', seq), CONCAT('b', seq, '@example.com'), 1, 20, 20,"
            " IF(seq %% 10, 'paid', 'pending'), CONCAT('cs_test_', seq), UTC_TIMESTAMP() + INTERVAL seq SECOND"
            f" FROM seq_1_to_{ROWS}",
            event_id,
            ticket_id,
        )
        tx.change(
            "INSERT INTO idempotency_keys (key_hash, request_hash, expires_at)"
            f" SELECT SHA2(seq, 256), '', UTC_TIMESTAMP() + INTERVAL seq SECOND FROM seq_1_to_{ROWS}"
        )
    with database.transaction() as tx:
        for table in ("events", "tickets", "ticket_discounts", "discount_codes", "ticket_orders", "idempotency_keys"):
            tx.all(f"ANALYZE TABLE {table}")


def test_no_statement_reads_a_whole_table(
    api: Api,
    database: Database,
    connect: Connect,
    token: Callable[..., dict[str, str]],
    statements: list[tuple[str, tuple[object, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ticketing.checkout.checkout._TIDY_EVERY", 1)
    event_id = create_event(database)
    ticket_id = create_ticket(database, event_id=event_id, price=Decimal(20), max_quantity=18)
    create_code(database, event_id=event_id, code="SALSA10")
    fill(database, event_id, ticket_id)
    statements.clear()
    key = {"idempotency-key": "click-1"}
    for _ in range(2):
        assert api.checkout(event_id, ticket_id, quantity=9, discount_code="salsa10", headers=key).status == 200
    assert api.checkout(event_id, ticket_id, quantity=9, headers=key).code == "idempotency_conflict"
    # The early look is a courtesy: without it the guarded hold decides, and the path of its refusal is run too.
    with monkeypatch.context() as patched:
        patched.setattr("ticketing.checkout.placement._check_left", lambda *_: None)
        assert api.checkout(event_id, ticket_id, quantity=10, headers={"idempotency-key": "2"}).code == "try_again"
    idempotency.unlock(database, idempotency.key_of("x", scope=(), request=()))
    assert api.call("GET /events/{id}/tickets", {"id": str(event_id)}).status == 200
    assert api.call("GET /orders", query={"session_id": "cs_test_7"}).status == 200
    buyer = token("sub9", email="B17@example.com", email_verified=True)
    assert api.call("GET /user/tickets", headers=buyer).body["count"] == 2
    seen = dict(statements)
    assert len(seen) > 14
    connection = connect()
    with connection.cursor() as cursor:
        for sql, parameters in seen.items():
            if sql.startswith("INSERT"):
                continue  # finds nothing
            cursor.execute(f"EXPLAIN {sql}", parameters)
            for step in cursor.fetchall():
                # The two orders of the buyer, found by index, are a table of their own for a moment.
                derived = str(step["table"]).startswith("<") or step["table"] is None
                assert derived or step["type"] not in {"ALL", "index"}, f"{step} in {sql}"
                assert derived or int(step["rows"] or 0) <= 1000, f"{step} in {sql}"
    connection.rollback()
