-- What an order holds, and what was counted for it: which ticket, how many, which code, as it was when it was taken. An
-- operator may change the order's quantity, ticket or code afterwards; what goes back is this.
-- NULL: taken before this migration; then the order's columns of today are all that is known.
ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS held_ticket_id BIGINT NULL,
    ADD COLUMN IF NOT EXISTS held_code_id BIGINT NULL,
    ADD COLUMN IF NOT EXISTS counted_ticket_id BIGINT NULL,
    ADD COLUMN IF NOT EXISTS counted_quantity INT NULL,
    ADD COLUMN IF NOT EXISTS counted_code_id BIGINT NULL,
    ALGORITHM = INSTANT;

-- What a counter could not follow: the order is recorded all the same (docs/rules.md, "Money first").
CREATE TABLE IF NOT EXISTS counts_off (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL,
    -- count_seats, return_seats, release_seats, and the same of a code's use: count_use, return_use, release_use.
    effect VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The ticket, or the discount code, whose counter it is; NULL: nobody knows which.
    counter_id BIGINT NULL,
    -- Seats or uses.
    amount INT NOT NULL,
    -- gone (the row), too_low (the counter), no_room (below the limit).
    reason VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The execution whose alert told of the order; NULL: none has yet.
    told_by VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    found_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- When the counter was put right; NULL: it is still off.
    settled_at DATETIME(6) NULL,
    UNIQUE KEY counts_off_once (order_id, effect),
    KEY counts_off_by_settled (settled_at, found_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
