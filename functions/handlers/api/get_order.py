"""GET /orders?session_id=: the order of a Checkout Session, for whoever holds the session's id."""

from __future__ import annotations

from handlers.api import public_errors
from handlers.api.http import Request, http_api
from handlers.runtime import database
from ticketing.buyers.orders import order_of_session


@http_api
def handler(request: Request) -> dict[str, object]:
    """Give `order`; 404 for an unknown session."""
    order = order_of_session(database, request.query.get("session_id", ""))
    if order is None:
        raise public_errors.not_found("This order")
    return {"order": order}
