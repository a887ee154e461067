-- Every correction of an order that an operator ordered: what it was and what it became, who, when and why. And what a
-- ticket's or a code's limit was and became.
CREATE TABLE IF NOT EXISTS order_corrections (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL,
    -- move, change, take_back, mark_paid, correct, refund_seats.
    kind VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- What was asked for, so that a repeat is known as one: the words of the command, without anything of the buyer's.
    request VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- JSON: what changed, from what to what. Never an address of the buyer's.
    changes TEXT NOT NULL,
    corrected_by VARCHAR(255) NOT NULL,
    reason VARCHAR(255) NULL,
    -- Of a refund of some seats: which payment, how much, and how much of it was refunded before.
    payment_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    amount_minor BIGINT NULL,
    refunded_minor BIGINT NULL,
    corrected_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    -- NULL: its refund is still under way, and the same command goes on with it.
    done_at DATETIME(6) NULL,
    KEY order_corrections_by_order (order_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

ALTER TABLE counter_corrections
    ADD COLUMN IF NOT EXISTS limit_before BIGINT NULL,
    ADD COLUMN IF NOT EXISTS limit_after BIGINT NULL,
    ALGORITHM = INSTANT;
