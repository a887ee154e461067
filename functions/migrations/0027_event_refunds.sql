-- The refund of all orders of an event or a ticket that was called off: which orders, and what became of each, so that
-- it goes on where it was. One row for an event or a ticket, however often it is begun.
CREATE TABLE IF NOT EXISTS event_refunds (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- event:12 or ticket:34.
    scope VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    begun_by VARCHAR(255) NOT NULL,
    reason VARCHAR(255) NULL,
    begun_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- When nothing was left to do; NULL: it goes on.
    ended_at DATETIME(6) NULL,
    UNIQUE KEY event_refunds_by_scope (scope)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS event_refund_lines (
    event_refund_id BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    -- Empty: the order has no payment.
    payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    -- refund, take_back.
    what VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- due, done, before (it had gone back, or had ended), disputed, waits, by_hand, failed.
    state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Minor units of `currency`: paid, gone back before this, gone back by this.
    paid_minor BIGINT NOT NULL DEFAULT 0,
    before_minor BIGINT NOT NULL DEFAULT 0,
    refunded_minor BIGINT NOT NULL DEFAULT 0,
    currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stripe_refund_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    note VARCHAR(255) NOT NULL DEFAULT '',
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    PRIMARY KEY (event_refund_id, order_id, payment_key),
    KEY event_refund_lines_by_state (event_refund_id, state, order_id, payment_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
