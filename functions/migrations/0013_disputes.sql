-- What is known of each dispute, so that every message about a payment can look at all of it, and so that operators find
-- the open ones by their deadlines. Until now a lost dispute was kept as a refund with the status `lost`.

CREATE TABLE IF NOT EXISTS order_disputes (
    stripe_dispute_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    order_id BIGINT NOT NULL,
    payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stripe_charge_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- In minor units of `currency`; both may differ from the payment's.
    amount_minor BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    -- Stripe's word, and what it means: inquiry, inquiry_closed, opened, settled, lost, won.
    status VARCHAR(64) NOT NULL,
    phase VARCHAR(20) NOT NULL,
    -- Nobody has decided it yet.
    is_open TINYINT(1) NOT NULL,
    reason VARCHAR(64) NULL,
    due_by DATETIME NULL,
    funds_withdrawn_at DATETIME NULL,
    funds_reinstated_at DATETIME NULL,
    -- Of when that is: what Stripe said earlier and what arrives later changes nothing.
    reported_at DATETIME NOT NULL,
    -- The newest phase of which operators were told, by which event and execution.
    alerted_phase VARCHAR(20) NULL,
    alerted_event_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    alerted_execution_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    alerted_at DATETIME(6) NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    KEY order_disputes_by_payment (order_id, payment_key),
    KEY order_disputes_by_charge (stripe_charge_id),
    KEY order_disputes_by_deadline (is_open, due_by)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- The charge of a payment, as far as an event named it: operators find the order by it.
ALTER TABLE order_payments
    ADD COLUMN IF NOT EXISTS stripe_charge_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;

CREATE INDEX IF NOT EXISTS order_payments_by_charge ON order_payments (stripe_charge_id) ALGORITHM = NOCOPY LOCK = NONE;

-- A dispute that was lost before this table was: the whole payment went back, whatever the amount.
INSERT IGNORE INTO order_disputes (stripe_dispute_id, order_id, payment_key, amount_minor, currency, status, phase,
    is_open, reported_at, alerted_phase)
SELECT r.stripe_refund_id, r.order_id, r.payment_key, GREATEST(r.amount_minor, p.amount_minor), p.currency, 'lost', 'lost',
    0, r.created_at, 'lost'
FROM order_refunds AS r
JOIN order_payments AS p ON p.order_id = r.order_id AND p.payment_key = r.payment_key
WHERE r.status = 'lost';
