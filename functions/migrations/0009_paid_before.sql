-- What a ticket's and a code's orders took, asked when an order that was paid before this shop is refunded, or its event
-- comes late (functions/ticketing/orders/paid_before.py).
CREATE INDEX IF NOT EXISTS ticket_orders_by_ticket ON ticket_orders (ticket_id)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS ticket_orders_by_code ON ticket_orders (discount_code_id)
    ALGORITHM = NOCOPY LOCK = NONE;
