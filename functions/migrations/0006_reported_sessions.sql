-- Checkout Sessions of which reconciliation has told that no order knows their payment: each is told once, so that the
-- next one is heard. A row each: there are few.

CREATE TABLE IF NOT EXISTS reported_sessions (
    stripe_checkout_session_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    reported_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
