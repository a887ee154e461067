-- When reconciliation asks Stripe about an unpaid order again, so that hold_expires_at says one thing: when the hold
-- ends. NULL: it was not asked about yet, and is due when its hold has ended. Until now the answer put hold_expires_at
-- off itself; orders of that time are due by it as before, so no row has to be changed.

ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS next_check_at DATETIME(6) NULL,
    ALGORITHM = INSTANT;

CREATE INDEX IF NOT EXISTS ticket_orders_by_next_check ON ticket_orders (status, next_check_at)
    ALGORITHM = NOCOPY LOCK = NONE;
