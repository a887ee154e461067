-- An order's second payment came over another Checkout Session than the order's own: operators find it by that.

CREATE INDEX IF NOT EXISTS order_payments_by_checkout_session ON order_payments (stripe_checkout_session_id)
    ALGORITHM = NOCOPY LOCK = NONE;
