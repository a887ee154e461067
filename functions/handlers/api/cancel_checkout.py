"""GET /checkout/cancel?token=&event=&origin=: Stripe's back link; gives the seats back and sends the browser on.

It sends the browser back to the shop whatever happens: unknown or used, paid meanwhile, Stripe or the database away.
Only to one of the shop's own origins, so that nobody can make a link of it that leads elsewhere.
"""

from __future__ import annotations

from urllib.parse import urlencode

from handlers import stripe_access
from handlers.api.http import Redirect, Request, http_api
from handlers.api.origins import event_page, return_origin
from handlers.runtime import count_metric, database, logger
from ticketing.checkout.leaving import Left, leave_checkout
from ticketing.errors import RetryableError


@http_api
def handler(request: Request) -> Redirect:
    """Send the browser to the event's page, with `payment=cancelled`, or `success` where it was paid meanwhile."""
    left = _leave(request.query.get("token", ""))
    event_id = request.query.get("event", "") if left is None else str(left.event_id)
    page = event_page(return_origin(request.query.get("origin", "")), event_id)
    result = {"payment": "cancelled"}
    if left is not None:
        logger.append_keys(order_id=left.order_id, session_id=left.session_id)
        if left.is_paid:
            result = {"payment": "success", "session_id": left.session_id or ""}
    return Redirect(location=f"{page}?{urlencode(result)}")


def _leave(token: str) -> Left | None:
    try:
        return leave_checkout(database, stripe_access.sessions_to_end, token)
    except RetryableError as error:
        logger.warning(str(error), extra={"error": type(error).__name__})
        count_metric("ApiUnavailable")
    except Exception as error:  # noqa: BLE001 -- the buyer gets back to the shop whatever happened
        # Where, not what: a foreign exception's words may quote what the caller sent.
        logger.error("A checkout could not be ended", extra={"error": type(error).__name__})
        count_metric("ApiFailed")
    return None
