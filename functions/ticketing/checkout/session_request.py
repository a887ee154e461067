"""What an order's Checkout Session is to be: Stripe's words for a placed order (docs/rules.md, "Words")."""

from __future__ import annotations

from urllib.parse import urlencode

from ticketing.checkout.placement import PlacedOrder
from ticketing.stripe.open_session import SessionRequest


def session_request(order: PlacedOrder, *, origin: str, cancel_route: str | None) -> SessionRequest:
    """Say what Stripe is asked for; `origin` is where the buyer returns to, e.g. `https://shop.example`.

    Who leaves goes by `cancel_route`, which gives the seats back; None: straight to the shop. The way back stands in
    the link itself, so that it leads to the shop also while the database is away.
    """
    metadata = {
        "order_id": str(order.order_id),
        "event_id": str(order.event_id),
        "ticket_id": str(order.ticket_id),
    }
    if order.order_mark is not None:
        metadata["order_mark"] = order.order_mark
    page = f"{origin}/events/{order.event_id}"
    return SessionRequest(
        reference=str(order.order_id),
        metadata=metadata,
        product_name=f"{order.ticket_name} - {order.event_name}",
        quantity=order.quantity,
        unit_minor=order.unit_minor,
        currency=order.currency,
        email=order.email,
        expires_at=order.expires_at,
        is_urgent=order.begins_soon,
        success_url=f"{page}?payment=success&session_id={{CHECKOUT_SESSION_ID}}",
        cancel_url=f"{page}?payment=cancelled"
        if cancel_route is None
        else f"{cancel_route}?{urlencode({'token': order.cancel_token, 'event': order.event_id, 'origin': origin})}",
    )
