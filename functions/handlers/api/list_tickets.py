"""GET /events/{id}/tickets: the tickets of an event, for anyone."""

from __future__ import annotations

from handlers.api import public_errors
from handlers.api.http import Request, http_api
from handlers.runtime import database
from handlers.settings import whole_number
from ticketing.checkout.catalog import tickets_of_event


@http_api
def handler(request: Request) -> dict[str, object]:
    """Give `tickets`; 404 for an unknown event."""
    event_id = request.path_id("id", of="This event")
    tickets = tickets_of_event(database, event_id, most=whole_number("MAX_TICKETS_PER_ORDER"))
    if tickets is None:
        raise public_errors.not_found("This event")
    return {"tickets": tickets}
