-- Seats and code uses that unpaid orders hold, and the marks that let each count happen once.
-- All columns have defaults: rows of the live shop hold nothing and have counted nothing.

ALTER TABLE tickets
    ADD COLUMN IF NOT EXISTS held_quantity INT NOT NULL DEFAULT 0, ALGORITHM = INSTANT;

ALTER TABLE discount_codes
    ADD COLUMN IF NOT EXISTS held_count INT NOT NULL DEFAULT 0, ALGORITHM = INSTANT;

ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS currency CHAR(3) NOT NULL DEFAULT 'eur',
    ADD COLUMN IF NOT EXISTS held_quantity INT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS code_held TINYINT(1) NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS hold_expires_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS paid_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS ticket_counted_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS ticket_returned_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS discount_counted_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS discount_returned_at DATETIME(6) NULL,
    ADD COLUMN IF NOT EXISTS refunded_amount DECIMAL(10, 2) NOT NULL DEFAULT 0,
    ALGORITHM = INSTANT;

-- By itself: together with ordinary columns it would copy the table, and every write would wait.
ALTER TABLE ticket_orders
    ADD COLUMN IF NOT EXISTS email_lower VARCHAR(255) AS (LOWER(email)) VIRTUAL,
    ALGORITHM = INSTANT;

-- One index for each way an order is found.
CREATE INDEX IF NOT EXISTS ticket_orders_by_checkout_session ON ticket_orders (stripe_checkout_session_id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_payment_intent ON ticket_orders (stripe_payment_intent_id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_status_and_hold ON ticket_orders (status, hold_expires_at)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_created_at ON ticket_orders (created_at)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_buyer ON ticket_orders (cognito_sub, created_at)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS tickets_by_event ON tickets (event_id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_discounts_by_ticket ON ticket_discounts (ticket_id, is_active, valid_until)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS discount_codes_by_event_and_code ON discount_codes (event_id, code)
    ALGORITHM = NOCOPY LOCK = NONE;
