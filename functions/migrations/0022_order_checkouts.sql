-- Who opened an order's checkout, as far as it must be known again: whoever holds the token of Stripe's back link may end
-- it, the same buyer with the same wish gets the same page, and what one client holds is bounded. Digests only (SHA-256);
-- a row goes with its order's hold. A table of its own: ticket_orders takes no column any more without being rebuilt
-- (0017), and this one stays small.
CREATE TABLE IF NOT EXISTS order_checkouts (
    order_id BIGINT NOT NULL PRIMARY KEY,
    ticket_id BIGINT NOT NULL,
    token_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Who wants this ticket: an account, or a guest by address, client and e-mail. NULL: nobody who could be known again.
    buyer_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- How many, with which code, for which address.
    wish_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Whose holds are added up: an account, or a guest's network. NULL: nobody's.
    client_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    placed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    UNIQUE KEY order_checkouts_by_token (token_hash),
    KEY order_checkouts_by_buyer (buyer_hash, order_id),
    KEY order_checkouts_by_client (client_hash, ticket_id),
    KEY order_checkouts_by_time (placed_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
