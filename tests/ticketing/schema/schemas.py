"""The live tables as the shop before this one left them, and how tests run statements on them."""

from __future__ import annotations

from typing import Any

from tests.conftest import Connect

# As far as the live tables are known; INT ids and an unusual collation, because nobody promised otherwise.
LIVE_SCHEMA = """
CREATE TABLE events (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200), cognito_sub VARCHAR(100),
    start_date DATETIME, end_date DATETIME) ENGINE=InnoDB;
CREATE TABLE tickets (id INT AUTO_INCREMENT PRIMARY KEY, event_id INT NOT NULL, name VARCHAR(200), price DECIMAL(10,2),
    image_url TEXT, max_quantity INT NULL, sold_quantity INT DEFAULT 0, is_active TINYINT(1) DEFAULT 1,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
CREATE TABLE ticket_discounts (id INT AUTO_INCREMENT PRIMARY KEY, ticket_id INT, discount_type
    ENUM('percentage','fixed'), discount_value DECIMAL(10,2), valid_until DATE, is_active TINYINT(1)) ENGINE=InnoDB;
CREATE TABLE discount_codes (id INT AUTO_INCREMENT PRIMARY KEY, event_id INT, code VARCHAR(50), discount_type
    ENUM('percentage','fixed'), discount_value DECIMAL(10,2), max_uses INT NULL, used_count INT DEFAULT 0,
    valid_from DATE NULL, valid_until DATE NULL, is_active TINYINT(1), created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
CREATE TABLE ticket_orders (id INT AUTO_INCREMENT PRIMARY KEY, event_id INT, ticket_id INT, user_id INT NULL,
    cognito_sub VARCHAR(100) NULL, email VARCHAR(255) COLLATE utf8mb4_bin, quantity INT, unit_price DECIMAL(10,2),
    discount_amount DECIMAL(10,2), discount_code_id INT NULL, total_amount DECIMAL(10,2),
    status ENUM('pending','processing','paid','refunded','expired','failed','cancelled') DEFAULT 'pending',
    stripe_checkout_session_id VARCHAR(255) NULL, stripe_payment_intent_id VARCHAR(255) NULL,
    validated_at DATETIME NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
INSERT INTO events (name) VALUES ('Live');
INSERT INTO tickets (event_id, name, price, max_quantity) VALUES (1, 'Standard', 20, 50);
INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, discount_amount, total_amount,
    stripe_checkout_session_id) VALUES (1, 1, 'Buyer@Example.com', 2, 20, 0, 40, 'cs_test_live');
"""


def run(connect: Connect, script: str) -> None:
    connection = connect()
    try:
        with connection.cursor() as cursor:
            for statement in filter(str.strip, script.split(";")):
                cursor.execute(statement)
        connection.commit()
    finally:
        connection.close()


def rows(connect: Connect, sql: str) -> list[dict[str, Any]]:
    connection = connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()
