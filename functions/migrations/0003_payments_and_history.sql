-- What was paid for an order and what went back, beside the order itself: an order can be paid twice.
-- No foreign keys: the live tables' id types are not ours to rely on.

CREATE TABLE IF NOT EXISTS order_payments (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL,
    -- The PaymentIntent's id, or the Checkout Session's where nothing had to be paid.
    payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stripe_checkout_session_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    stripe_payment_intent_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- accepted: pays the order. duplicate, sold_out, closed_order: money that must go back.
    -- refunded_early: a refund was reported before the payment was.
    role VARCHAR(20) NOT NULL,
    -- In minor units of `currency`, as the buyer was charged.
    amount_minor BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    -- The largest `amount_refunded` that a charge reported, and the sum that really stays refunded.
    charge_refunded_minor BIGINT NOT NULL DEFAULT 0,
    refunded_minor BIGINT NOT NULL DEFAULT 0,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    UNIQUE KEY order_payments_once (order_id, payment_key),
    KEY order_payments_by_payment_key (payment_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS order_refunds (
    stripe_refund_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    order_id BIGINT NOT NULL,
    payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    amount_minor BIGINT NOT NULL,
    -- Stripe's words: pending, requires_action, succeeded, failed, canceled.
    status VARCHAR(20) NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    KEY order_refunds_by_payment (order_id, payment_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS order_history (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL,
    -- What happened, e.g. paid, processing, released, refunded, dispute_opened, ignored_expiry.
    entry VARCHAR(40) NOT NULL,
    stripe_event_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stripe_object_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    amount_minor BIGINT NULL,
    recorded_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    UNIQUE KEY order_history_once (order_id, stripe_event_id, entry)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
