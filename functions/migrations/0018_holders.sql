-- Which orders hold something: the few that wait, and whoever was left behind. Reconciliation counts what is paid and
-- still held; `cachao doctor` adds up what is held.
CREATE INDEX IF NOT EXISTS ticket_orders_by_held_seats ON ticket_orders (held_quantity, status)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_held_use ON ticket_orders (code_held, status)
    ALGORITHM = NOCOPY LOCK = NONE;
