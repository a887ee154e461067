"""What happened to an order, for the people who look after it (`order_history`)."""

from __future__ import annotations

from ticketing.database import Transaction


def record(
    tx: Transaction,
    *,
    order_id: int,
    entry: str,
    stripe_event_id: str,
    stripe_object_id: str | None = None,
    amount_minor: int | None = None,
) -> None:
    """Write an entry once for an order and a Stripe event; a repeat of the event writes nothing."""
    tx.change(
        "INSERT IGNORE INTO order_history (order_id, entry, stripe_event_id, stripe_object_id, amount_minor)"
        " VALUES (%s, %s, %s, %s, %s)",
        order_id,
        entry,
        stripe_event_id,
        stripe_object_id,
        amount_minor,
    )
