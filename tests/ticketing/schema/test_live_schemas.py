"""Live tables as shops have them: the shop works on each, or refuses it before anything is changed, and says why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from local.database.mariadb import MariaDB
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.conftest import Connect, connect_to
from tests.factories import create_code
from tests.handlers.api.test_concurrent_checkouts import buy
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.ticketing.paid_orders import code_uses, order_row, pay, refund, seats, status
from tests.ticketing.schema.schemas import LIVE_SCHEMA, rows, run
from ticketing.checkout.catalog import tickets_of_event
from ticketing.database import Database
from ticketing.errors import DataInconsistent
from ticketing.operators.inspection import find_order
from ticketing.orders.status import OrderStatus
from ticketing.reconciliation.run import Options, reconcile
from ticketing.schema import live_tables
from ticketing.schema.files import statements_of
from ticketing.schema.runner import apply_migrations
from ticketing.stripe.client import client
from ticketing.stripe.sessions import StripeSessions

DEPLOY = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text(encoding="utf-8")
SHOP_TABLES = ("events", "tickets", "ticket_discounts", "discount_codes", "ticket_orders")


def every_table(change: str) -> str:
    return ";".join(f"ALTER TABLE {table} {change}" for table in SHOP_TABLES)


# What is done to the live schema, and what is said of it.
REFUSED = {
    # Engines, row formats, and what stands in for a table
    "MyISAM": (every_table("ENGINE = MyISAM"), "tickets is MyISAM and knows no transactions.*ENGINE = InnoDB"),
    "Aria": (every_table("ENGINE = Aria"), "ticket_orders is Aria and knows no transactions"),
    "COMPACT": (
        "ALTER TABLE ticket_orders ROW_FORMAT = COMPACT",
        "row format COMPACT, in which an index ends at 767 bytes, and stripe_checkout_session_id takes 1020",
    ),
    "REDUNDANT": ("ALTER TABLE ticket_orders ROW_FORMAT = REDUNDANT", "ROW_FORMAT = DYNAMIC"),
    "COMPRESSED": ("ALTER TABLE tickets ROW_FORMAT = COMPRESSED", "tickets has the row format COMPRESSED"),
    "system versioning": ("ALTER TABLE ticket_orders ADD SYSTEM VERSIONING", "DROP SYSTEM VERSIONING"),
    "a view": (
        "RENAME TABLE ticket_orders TO all_orders; CREATE VIEW ticket_orders AS SELECT * FROM all_orders",
        "ticket_orders is a view: make it a table",
    ),
    "partitions": ("ALTER TABLE ticket_orders PARTITION BY HASH (id) PARTITIONS 4", "REMOVE PARTITIONING"),
    "a full-text index": ("CREATE FULLTEXT INDEX by_words ON tickets (name)", "FULLTEXT index by_words"),
    "an index on a virtual column": (
        "ALTER TABLE ticket_orders ADD COLUMN day DATE AS (DATE(validated_at)) VIRTUAL, ADD INDEX by_day (day)",
        "ticket_orders has the index on a virtual column by_day",
    ),
    # Money
    **{
        f"{table}.{column} {kind}": (
            f"ALTER TABLE {table} MODIFY {column} {kind}",
            rf"{table}\.{column} is .*must be exact money \(DECIMAL\(10,2\)\)",
        )
        for table, column in [
            ("tickets", "price"),
            ("ticket_discounts", "discount_value"),
            ("discount_codes", "discount_value"),
            ("ticket_orders", "unit_price"),
            ("ticket_orders", "discount_amount"),
            ("ticket_orders", "total_amount"),
        ]
        for kind in ["DOUBLE", "FLOAT", "INT", "DECIMAL(10,0)", "VARCHAR(20)"]
    },
    "total_amount DECIMAL(5,2)": (
        "ALTER TABLE ticket_orders MODIFY total_amount DECIMAL(5,2)",
        "too small for 999999.99",
    ),
    # States
    "an ENUM without our states": (
        "ALTER TABLE ticket_orders MODIFY status ENUM('pending','paid','cancelled')",
        "lacks processing, refunded, expired, failed.*at its end",
    ),
    "a status of 8 characters": ("ALTER TABLE ticket_orders MODIFY status VARCHAR(8)", "too short for processing"),
    "a status that is a number": ("ALTER TABLE ticket_orders MODIFY status INT", r"status is int\(11\), but must be"),
    "a status that is TEXT": ("ALTER TABLE ticket_orders MODIFY status TEXT", "cannot be indexed"),
    "other words for discounts": (
        "ALTER TABLE discount_codes MODIFY discount_type ENUM('percent','fixed')",
        "discount_codes.discount_type is enum.*lacks percentage",
    ),
    # Texts
    "TEXT where an index is needed": (
        "ALTER TABLE ticket_orders MODIFY stripe_checkout_session_id TEXT",
        "stripe_checkout_session_id is text and cannot be indexed",
    ),
    "a text that is too long for an index": (
        "ALTER TABLE ticket_orders MODIFY cognito_sub VARCHAR(1000)",
        "cognito_sub takes 4000 bytes, and an index ends at 3072",
    ),
    "a short e-mail column": ("ALTER TABLE ticket_orders MODIFY email VARCHAR(100)", "too short for 254 characters"),
    "a short session id": (
        "ALTER TABLE ticket_orders MODIFY stripe_checkout_session_id VARCHAR(64)",
        "too short for 80 characters",
    ),
    "an address that is too long": (
        "ALTER TABLE ticket_orders MODIFY email VARCHAR(400); UPDATE ticket_orders SET email = REPEAT('x', 300)",
        "Order 1 has an e-mail address of more than 255 characters",
    ),
    "e-mail in another character set than its table": (
        "ALTER TABLE ticket_orders DEFAULT CHARACTER SET latin1",
        "email is utf8mb4 in a table of latin1",
    ),
    # Numbers and times
    "ids that are texts": ("ALTER TABLE tickets MODIFY id CHAR(36)", r"tickets\.id is char\(36\).*whole number"),
    "a counter that ends at 127": ("ALTER TABLE tickets MODIFY sold_quantity TINYINT", "too small for a count"),
    "a flag of one bit": ("ALTER TABLE tickets MODIFY is_active BIT(1)", r"is_active is bit\(1\)"),
    "a time as a number": (
        "ALTER TABLE ticket_orders DROP COLUMN created_at; ALTER TABLE ticket_orders ADD COLUMN created_at INT",
        r"created_at is int\(11\).*a time",
    ),
    "a day without a time": ("ALTER TABLE ticket_orders MODIFY created_at DATE", "created_at is date, but must be a"),
    # Columns that are missing, or more
    "no column for the door": ("ALTER TABLE ticket_orders DROP COLUMN validated_at", "lacks the column validated_at"),
    "a column that every order must have": (
        "ALTER TABLE ticket_orders ADD COLUMN seat_plan INT NOT NULL",
        "ticket_orders requires seat_plan for every order",
    ),
    "an id that does not number itself": (
        "ALTER TABLE ticket_orders MODIFY id INT",
        "ticket_orders requires id for every order",
    ),
    # Constraints
    "an account for every order": (
        "UPDATE ticket_orders SET cognito_sub = ''; ALTER TABLE ticket_orders MODIFY cognito_sub VARCHAR(64) NOT NULL",
        "cognito_sub may not be NULL, but a guest's order has none",
    ),
    "a code for every order": (
        "UPDATE ticket_orders SET discount_code_id = 0;ALTER TABLE ticket_orders MODIFY discount_code_id INT NOT NULL",
        "discount_code_id may not be NULL, but an order without a code has none",
    ),
    "an empty text for no session": (
        (
            "UPDATE ticket_orders SET stripe_payment_intent_id = '';"
            "ALTER TABLE ticket_orders MODIFY stripe_checkout_session_id VARCHAR(255) NOT NULL DEFAULT '',"
            " MODIFY stripe_payment_intent_id VARCHAR(255) NOT NULL DEFAULT ''"
        ),
        "stripe_checkout_session_id may not be NULL(?s:.*)stripe_payment_intent_id may not be NULL",
    ),
    "a total that is worked out": (
        (
            "ALTER TABLE ticket_orders DROP COLUMN total_amount;"
            "ALTER TABLE ticket_orders ADD COLUMN total_amount DECIMAL(10,2) AS (quantity * unit_price) STORED"
        ),
        "ticket_orders.total_amount is generated, but the shop writes it",
    ),
    "ids without a key": (
        "ALTER TABLE tickets MODIFY id BIGINT NOT NULL, DROP PRIMARY KEY",
        r"tickets\.id has no unique index of its own\. Make it the primary key",
    ),
    "one order for each buyer": (
        "ALTER TABLE ticket_orders ADD UNIQUE INDEX once (email, ticket_id)",
        r"unique index once of ticket_orders \(email, ticket_id\) refuses a second order",
    ),
    "a CHECK without our states": (
        "ALTER TABLE ticket_orders ADD CONSTRAINT known_states CHECK (status IN ('pending', 'paid', 'cancelled'))",
        "constraint known_states of ticket_orders refuses processing, refunded, expired, failed as status",
    ),
    "a CHECK of the column's own": (
        "ALTER TABLE discount_codes MODIFY discount_type VARCHAR(20) NOT NULL CHECK (discount_type LIKE '%%t')",
        "refuses percentage, fixed as discount_type",
    ),
    # What we would add already exists
    "a held_quantity that may be NULL": (
        "ALTER TABLE tickets ADD COLUMN held_quantity INT NULL",
        r"tickets\.held_quantity already exists as int\(11\), but must be NOT NULL",
    ),
    "a held_quantity that is small": (
        "ALTER TABLE tickets ADD COLUMN held_quantity TINYINT NOT NULL DEFAULT 0",
        "held_quantity already exists as.*too small",
    ),
    "a refunded_amount that is no money": (
        "ALTER TABLE ticket_orders ADD COLUMN refunded_amount DOUBLE NOT NULL DEFAULT 0",
        "refunded_amount already exists as double, but must be DECIMAL",
    ),
    "a paid_at without microseconds": (
        "ALTER TABLE ticket_orders ADD COLUMN paid_at DATETIME NULL",
        "paid_at already exists as datetime, but is too small",
    ),
    "an email_lower of somebody's": (
        "ALTER TABLE ticket_orders ADD COLUMN email_lower VARCHAR(255) NULL",
        "email_lower already exists as.*must be generated",
    ),
    "idempotency_keys of somebody else": (
        "CREATE TABLE idempotency_keys (id INT PRIMARY KEY, idempotency_key VARCHAR(80), response TEXT)",
        "idempotency_keys is not this shop's .it lacks created_at, expires_at, key_hash",
    ),
    "order_history in another engine": (
        statements_of("0003_payments_and_history")[2].replace("InnoDB", "MyISAM"),
        "order_history is not this shop's .it is MyISAM",
    ),
}

WORKS = {
    "as it is": "",
    "general_ci": every_table("CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"),
    "latin1": every_table("CONVERT TO CHARACTER SET latin1"),
    "utf8mb3": every_table("CONVERT TO CHARACTER SET utf8mb3"),
    "uca1400": every_table("CONVERT TO CHARACTER SET utf8mb4 COLLATE uca1400_as_cs"),
    "mixed": "ALTER TABLE tickets CONVERT TO CHARACTER SET latin1; ALTER TABLE ticket_orders CONVERT TO CHARACTER SET"
    " utf8mb4 COLLATE utf8mb4_bin; ALTER TABLE discount_codes CONVERT TO CHARACTER SET utf8mb4 COLLATE"
    " utf8mb4_unicode_520_ci; ALTER TABLE ticket_orders MODIFY status VARCHAR(20) CHARACTER SET latin1",
    "latin1 in the row format COMPACT": every_table("CONVERT TO CHARACTER SET latin1, ROW_FORMAT = COMPACT"),
    "unsigned": "ALTER TABLE tickets MODIFY max_quantity INT UNSIGNED, MODIFY sold_quantity INT UNSIGNED DEFAULT 0,"
    " MODIFY price DECIMAL(10,2) UNSIGNED, MODIFY id BIGINT UNSIGNED AUTO_INCREMENT;"
    " ALTER TABLE ticket_orders MODIFY quantity SMALLINT UNSIGNED, MODIFY total_amount DECIMAL(10,2) UNSIGNED,"
    " MODIFY id INT UNSIGNED AUTO_INCREMENT; ALTER TABLE discount_codes MODIFY used_count INT UNSIGNED DEFAULT 0,"
    " MODIFY max_uses INT UNSIGNED; ALTER TABLE tickets ADD COLUMN held_quantity INT UNSIGNED NOT NULL DEFAULT 0;"
    " ALTER TABLE discount_codes ADD COLUMN held_count BIGINT UNSIGNED NOT NULL DEFAULT 0",
    "narrower": "ALTER TABLE tickets MODIFY max_quantity SMALLINT, MODIFY sold_quantity SMALLINT DEFAULT 0,"
    " MODIFY price DECIMAL(6,2); ALTER TABLE ticket_orders MODIFY quantity TINYINT, MODIFY total_amount DECIMAL(8,2),"
    " MODIFY status VARCHAR(10), MODIFY cognito_sub CHAR(36), MODIFY stripe_checkout_session_id VARCHAR(80)",
    "wider": "ALTER TABLE ticket_orders MODIFY total_amount DECIMAL(12,4), MODIFY email VARCHAR(320), MODIFY status"
    " VARCHAR(255); ALTER TABLE tickets MODIFY price DECIMAL(19,4)",
    "an ENUM with more states": "ALTER TABLE ticket_orders MODIFY status ENUM('draft','pending','processing','paid',"
    "'refunded','expired','failed','cancelled','archived') NOT NULL DEFAULT 'pending'",
    "NOT NULL without defaults": "ALTER TABLE ticket_orders MODIFY discount_amount DECIMAL(10,2) NOT NULL, MODIFY"
    " created_at DATETIME NOT NULL, MODIFY updated_at DATETIME NOT NULL, MODIFY status VARCHAR(20) NOT NULL",
    "foreign keys": "ALTER TABLE tickets ADD FOREIGN KEY (event_id) REFERENCES events (id);"
    " ALTER TABLE ticket_orders ADD FOREIGN KEY (ticket_id) REFERENCES tickets (id), ADD FOREIGN KEY (event_id)"
    " REFERENCES events (id), ADD FOREIGN KEY (discount_code_id) REFERENCES discount_codes (id) ON DELETE SET NULL",
    "times of other kinds": "ALTER TABLE events MODIFY start_date DATE, MODIFY end_date TIMESTAMP NULL;"
    " ALTER TABLE ticket_orders MODIFY created_at DATETIME(3), MODIFY validated_at TIMESTAMP NULL",
    "more columns": "ALTER TABLE ticket_orders ADD COLUMN note TEXT, ADD COLUMN source VARCHAR(10) NOT NULL DEFAULT"
    " 'web', ADD COLUMN doubled INT AS (quantity * 2) STORED, ADD COLUMN seen TIMESTAMP NOT NULL DEFAULT NOW()",
    "constraints": "ALTER TABLE tickets ADD CONSTRAINT CHECK (sold_quantity <= max_quantity); ALTER TABLE ticket_orders"
    " ADD CONSTRAINT known CHECK (status REGEXP '^[a-z]+$'), ADD CONSTRAINT CHECK (quantity > 0 AND status <> ''),"
    " ADD COLUMN invoice INT NULL UNIQUE, ADD UNIQUE INDEX (stripe_checkout_session_id),"
    " ADD UNIQUE INDEX (ticket_id, stripe_payment_intent_id); ALTER TABLE events ADD UNIQUE INDEX (name)",
    "spatial": "ALTER TABLE tickets ADD COLUMN place POINT NOT NULL DEFAULT (POINT(0,0)), ADD SPATIAL INDEX (place)",
}


@pytest.fixture
def live(empty_schema: Connect, mariadb: MariaDB) -> Connect:
    """The database of a shop, as root: its tables are made with rights that the shop's user does not have."""
    return connect_to(mariadb, f"{mariadb.name}_empty", user="root")


def everything(connect: Connect) -> list[str]:
    """The whole schema, as SHOW CREATE TABLE gives it, without what a table's rows change in it."""
    tables = rows(
        connect,
        "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name",
    )
    return [str(row) for table in tables for row in rows(connect, f"SHOW CREATE TABLE {table['t']}")]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_carry_the_shop_is_refused_before_anything_is_changed(
    empty_schema: Connect, live: Connect, kind: str
) -> None:
    change, sentence = REFUSED[kind]
    run(empty_schema, LIVE_SCHEMA)
    run(live, change)
    before = everything(live)
    with pytest.raises(DataInconsistent, match=f"Nothing was changed(?s:.*){sentence}"):
        apply_migrations(empty_schema)
    assert everything(live) == before


@pytest.mark.parametrize(
    ("kind", "strict"),
    [
        *((kind, "strict") for kind in WORKS),
        *((kind, "not strict") for kind in ("as it is", "latin1", "narrower", "NOT NULL without defaults")),
    ],
)
def test_what_can_carry_the_shop_sells_refunds_and_is_reconciled(
    empty_schema: Connect, live: Connect, stand_in: StripeStandIn, kind: str, strict: str
) -> None:
    if strict == "not strict":
        run(live, "SET @@GLOBAL.sql_mode = ''")
    try:
        run(empty_schema, LIVE_SCHEMA)
        run(live, WORKS[kind])
        apply_migrations(empty_schema)
        sell_refund_and_reconcile(Database(empty_schema), stand_in)
    finally:
        run(live, "SET @@GLOBAL.sql_mode = DEFAULT")


def sell_refund_and_reconcile(database: Database, stand_in: StripeStandIn) -> None:
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET is_active = 1")
        tx.change("UPDATE ticket_orders SET created_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR")
    code = create_code(database, event_id=1, code="SALSA10")
    assert buy(database, 1, 1, quantity=2, discount_code="salsa10") == "ordered"
    order = 2
    pay(database, order)
    assert (status(database, order), seats(database, order), code_uses(database, code)) == ("paid", (2, 0), (1, 0))
    assert order_row(database, order)["total_amount"] == Decimal("36.00")
    refund(database, order, 1600, id="re_1")
    refund(database, order, 2000, id="re_2")
    assert (status(database, order), seats(database, order), code_uses(database, code)) == ("refunded", (0, 0), (0, 0))
    # The order that was paid before this shop, and of which no event came.
    stand_in.seed_session(
        SessionSeed(
            amount_total=4000,
            session_id="cs_test_live",
            metadata={"order_id": "1", "event_id": "1", "ticket_id": "1"},
        )
    )
    api = client("sk_test_local", api_base=stand_in.url, network_retries=0)
    report = reconcile(
        database, StripeSessions(api), WorkflowBus(database), Options(requests_per_second=2000, since=None)
    )
    assert {(row.finding, row.action) for row in report.rows} == {("paid", "event_sent")}
    assert (status(database, 1), seats(database, 1)) == ("paid", (2, 0))
    # Sold out, to the last seat.
    assert buy(database, 1, 1, quantity=10) == "ordered"
    assert buy(database, 1, 1, quantity=39) == "not_enough_left"
    assert [ticket.available for ticket in tickets_of_event(database, 1, most=10) or []] == [38]
    found = find_order(database, order_id=1)
    assert found is not None


def test_a_ticket_or_a_discount_without_a_value_is_for_nobody(empty_schema: Connect) -> None:
    run(empty_schema, LIVE_SCHEMA)
    run(empty_schema, "ALTER TABLE tickets MODIFY price DECIMAL(10,2) NULL")
    for table in ("discount_codes", "ticket_discounts"):
        run(empty_schema, f"ALTER TABLE {table} MODIFY discount_value DECIMAL(10,2) NULL")
        run(empty_schema, f"ALTER TABLE {table} MODIFY discount_type ENUM('percentage','fixed') NULL")
    apply_migrations(empty_schema)
    database = Database(empty_schema)
    run(empty_schema, "UPDATE tickets SET is_active = 1")
    create_code(database, event_id=1, code="SALSA10")
    run(empty_schema, "INSERT INTO ticket_discounts (ticket_id, discount_type) VALUES (1, 'fixed')")
    run(empty_schema, "UPDATE discount_codes SET discount_value = NULL")
    assert buy(database, 1, 1, discount_code="salsa10") == "code_inactive"
    assert buy(database, 1, 1) == "ordered"
    assert order_row(database, 2)["discount_amount"] == 0
    run(empty_schema, "UPDATE tickets SET price = NULL")
    assert buy(database, 1, 1) == "not_on_sale"
    [listed] = tickets_of_event(database, 1, most=10) or []
    assert (listed.price, listed.max_per_order) == (None, 0)


def test_the_states_that_a_live_table_must_know_are_the_shops() -> None:
    assert set(live_tables.STATUSES) == {str(state) for state in OrderStatus}


def test_the_page_for_operators_names_what_is_refused() -> None:
    refused = DEPLOY[DEPLOY.index("### What is refused") :]
    for word in (
        "MyISAM", "Aria", "COMPACT", "COMPRESSED", "system versioning", "views", "partition", "FULLTEXT", "DOUBLE",
        "FLOAT", "ENUM", "TEXT", "BIT", "TINYINT", "idempotency_keys", "NOT NULL", "generated", "UNIQUE",
        "CHECK", "Triggers",
    ):  # fmt: skip
        assert word in refused
