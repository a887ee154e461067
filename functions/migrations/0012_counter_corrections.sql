-- Every correction of a counter that an operator ordered: what it was and what it became, who, when and why.
CREATE TABLE IF NOT EXISTS counter_corrections (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- ticket or code, and its id.
    counter VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    counter_id BIGINT NOT NULL,
    -- By how much what is sold or used, and what is held, was changed.
    counted_change BIGINT NOT NULL,
    held_change BIGINT NOT NULL,
    corrected_by VARCHAR(255) NOT NULL,
    reason VARCHAR(255) NULL,
    corrected_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    KEY counter_corrections_by_counter (counter, counter_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
