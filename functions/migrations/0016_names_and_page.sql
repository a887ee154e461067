-- What the buyer bought, by the names of then: the ticket's or the event's row may be deleted. And the page on which an
-- open Checkout Session is paid, for whoever holds the session's id. NULL: an order from before this migration.
ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS bought_ticket VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL,
    ADD COLUMN IF NOT EXISTS bought_event VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL,
    ADD COLUMN IF NOT EXISTS checkout_url TEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
    ALGORITHM = INSTANT;
