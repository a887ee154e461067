-- What a lost event that was sent says of money that went back. Stripe tells of one refund by events of two objects, the
-- refund and its charge: whatever becomes of the one that was sent, the other is not sent after it.
ALTER TABLE resent_events
    ADD COLUMN IF NOT EXISTS payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- Of a refund its amount, of a charge all that went back of it, in minor units.
    ADD COLUMN IF NOT EXISTS amount_minor BIGINT NULL,
    -- Of a refund, in Stripe's words; NULL: it is a charge's.
    ADD COLUMN IF NOT EXISTS refund_status VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;
