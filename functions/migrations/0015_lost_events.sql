-- How far reconciliation has looked through Stripe's Events, so that each is looked at once. One row.
CREATE TABLE IF NOT EXISTS event_scans (
    name VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    -- All events made until then were looked at (Unix seconds, Stripe's clock); NULL: none yet.
    looked_until BIGINT NULL,
    -- The span that is being looked at, newest first, and the last event that was; NULL: none is.
    span_from BIGINT NULL,
    span_until BIGINT NULL,
    after_event VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- The lost events that reconciliation has sent through the workflow: each once, whatever came of it, and nothing older
-- of the same object after it.
CREATE TABLE IF NOT EXISTS resent_events (
    stripe_event_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    order_id BIGINT NOT NULL,
    -- What the event is about: a Checkout Session, a charge, a refund, a dispute.
    stripe_object_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- When it happened (Unix seconds, Stripe's clock).
    event_created BIGINT NOT NULL,
    sent_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    KEY resent_events_by_order (order_id, stripe_object_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Orders that are paid and not counted, as soon as there are some: the others have a time in ticket_counted_at.
CREATE INDEX IF NOT EXISTS ticket_orders_by_count ON ticket_orders (status, ticket_counted_at, paid_at)
    ALGORITHM = NOCOPY;
