-- An order's Idempotency-Keys: `cachao buyer` shows them, and ends them.
CREATE INDEX IF NOT EXISTS idempotency_keys_by_order ON idempotency_keys (order_id)
    ALGORITHM = NOCOPY LOCK = NONE;

-- So does what became of an order in an event's refund.
CREATE INDEX IF NOT EXISTS event_refund_lines_by_order ON event_refund_lines (order_id)
    ALGORITHM = NOCOPY LOCK = NONE;
