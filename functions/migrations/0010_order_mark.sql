-- By what a Checkout Session is known as this order's own: a random text, also written on the session and its
-- PaymentIntent. And what was asked when the session was opened, in minor units: the order may be changed afterwards.
-- NULL: an order from before this migration.
ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS order_mark VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ADD COLUMN IF NOT EXISTS asked_minor BIGINT NULL,
    ADD COLUMN IF NOT EXISTS asked_currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;
