"""GET /user/tickets: the orders of whoever is logged in."""

from __future__ import annotations

from handlers.api.callers import logged_in
from handlers.api.http import Request, http_api
from handlers.runtime import database
from ticketing.buyers.orders import orders_of


@http_api
def handler(request: Request) -> dict[str, object]:
    """Give `orders`, newest first, and their `count`; 401 without a good token."""
    orders = orders_of(database, logged_in(request))
    return {"orders": orders, "count": len(orders)}
