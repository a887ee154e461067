-- What was recorded in a span of time: `cachao books` asks of each whether Stripe has it, too.
CREATE INDEX IF NOT EXISTS order_payments_by_created_at ON order_payments (created_at, id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS order_refunds_by_created_at ON order_refunds (created_at, stripe_refund_id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS order_disputes_by_created_at ON order_disputes (created_at, stripe_dispute_id)
    ALGORITHM = NOCOPY LOCK = NONE;
