"""Where a buyer's browser is sent: to the shop's own pages only, and on the way there through this API."""

from __future__ import annotations

import os
import re
from typing import Final

from handlers.api.http import Request
from handlers.settings import required

CANCEL_PATH: Final = "/checkout/cancel"
_ID: Final = re.compile(r"[1-9][0-9]{0,17}\Z", re.ASCII)


def return_origin(origin: str) -> str:
    """Give an origin if it is on the allow-list, else the frontend's own address."""
    allowed = (entry.strip().rstrip("/") for entry in os.environ.get("FRONTEND_ORIGINS", "").split(","))
    known = {entry for entry in allowed if entry.startswith(("https://", "http://"))}
    return origin if origin in known else required("FRONTEND_URL").rstrip("/")


def event_page(origin: str, event_id: str) -> str:
    """Give the page of an event; of what is no event's id the shop's first one."""
    return f"{origin}/events/{event_id}" if _ID.match(event_id) else f"{origin}/"


def cancel_route(request: Request) -> str | None:
    """Give the address of the route by which a buyer gives his seats back; None where nothing says this API's own.

    `API_URL` is for an API that browsers do not reach under the address that API Gateway knows.
    """
    base = os.environ.get("API_URL", "").rstrip("/") or request.own_address
    return None if base is None else f"{base}{CANCEL_PATH}"
