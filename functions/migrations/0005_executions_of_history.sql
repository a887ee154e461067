-- Which execution wrote an entry, so that operators find an order's executions without looking through all of them,
-- and an event's order.

ALTER TABLE order_history
    ADD COLUMN IF NOT EXISTS execution_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;

CREATE INDEX IF NOT EXISTS order_history_by_event ON order_history (stripe_event_id)
    ALGORITHM = NOCOPY LOCK = NONE;
