-- What the buyer saw and paid on Stripe's page, where adaptive pricing showed another currency (presentment_details):
-- for people who speak with buyers; the shop's sums are in the columns amount_minor and currency.
ALTER TABLE order_payments
    ADD COLUMN IF NOT EXISTS presented_minor BIGINT NULL,
    ADD COLUMN IF NOT EXISTS presented_currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;
