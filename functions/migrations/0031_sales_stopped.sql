-- Whether an operator, or the refund of an event, stopped the sale of a ticket or the use of a code (0), or opened it
-- again (1); NULL: it was another correction.
ALTER TABLE counter_corrections
    ADD COLUMN IF NOT EXISTS sale_after TINYINT NULL,
    ALGORITHM = INSTANT;
