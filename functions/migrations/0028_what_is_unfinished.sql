-- What an operator began and nobody ended: a refund of seats, or of an event, that was cut off. `cachao doctor` asks.
CREATE INDEX IF NOT EXISTS order_corrections_by_done ON order_corrections (done_at, corrected_at)
    ALGORITHM = NOCOPY LOCK = NONE;
CREATE INDEX IF NOT EXISTS event_refunds_by_ended ON event_refunds (ended_at, begun_at)
    ALGORITHM = NOCOPY LOCK = NONE;
