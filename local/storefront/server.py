"""Serves the storefront's files beside the API. What the pages do they do by the API's public routes alone.

Two things are not in this system's API, and are the old backend's or a library's on the live shop. They stand here:

- `/storefront/shop.json`: which events there are, with names and dates, and where one signs in;
- `/storefront/qr.svg?text=…`: a text as a QR code.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import segno

from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ASSETS: Final = "/storefront/"
_PAGE: Final = re.compile(r"/|/events/[1-9][0-9]{0,18}|/my-tickets|/sign-in", re.ASCII)
_LONGEST_TEXT: Final = 600  # of a QR code: a page's address with a session's id has about 150
# A ticket's picture is wherever the organiser put it.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_JSON: Final = "application/json"


class Storefront:
    """WSGI application: answers the storefront's own addresses, passes everything else on."""

    def __init__(
        self,
        everything_else: WSGIApplication,
        *,
        sign_in: Mapping[str, str],
        ready_user: Mapping[str, str],
        events: Callable[[], Sequence[Mapping[str, object]]],
    ) -> None:
        """Stand in front of another application.

        Args:
            everything_else: The other application: the API.
            sign_in: `endpoint_url` and `client_id` of the buyers' user pool.
            ready_user: `email` and `password` of somebody who can sign in; shown on the page.
            events: Gives the events, each with `id`, `name`, `start` and `end` (the venue's clock, or None).
        """
        self._everything_else = everything_else
        self._sign_in = {name: sign_in[name] for name in ("endpoint_url", "client_id")}
        self._ready_user = dict(ready_user)
        self._events = events
        # By name: nothing outside is reached, whatever a path says.
        folder = Path(__file__).parent / "pages"
        self._files = {file.name: file for file in folder.iterdir() if file.suffix in _TYPES}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        path = environ["PATH_INFO"]
        is_page = _PAGE.fullmatch(path) is not None
        is_ours = is_page or path.startswith(_ASSETS)
        if not is_ours or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._everything_else(environ, start_response)
        name = "page.html" if is_page else path.removeprefix(_ASSETS)
        text = parse_qs(environ.get("QUERY_STRING", "")).get("text", [""])[0]
        if name == "shop.json":
            return self._answer(start_response, _JSON, json.dumps(self._describe()).encode())
        if name == "qr.svg" and 0 < len(text) <= _LONGEST_TEXT:
            return self._answer(start_response, _TYPES[".svg"], _qr_code(text))
        if name in self._files:
            file = self._files[name]
            # Read each time: whoever writes a page reloads it.
            return self._answer(start_response, _TYPES[file.suffix], file.read_bytes())
        return respond(start_response, "404 Not Found", [("Content-Type", "text/plain")], b"Not found\n")

    def _answer(self, start_response: StartResponse, content_type: str, body: bytes) -> Iterable[bytes]:
        policy = f"{_POLICY}; connect-src 'self' {self._sign_in['endpoint_url']}"
        headers = [
            ("Content-Type", content_type),
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "same-origin"),  # the address of a success page names a session
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-cache"),
        ]
        return respond(start_response, "200 OK", headers, body)

    def _describe(self) -> dict[str, Any]:
        return {"sign_in": self._sign_in, "ready_user": self._ready_user, "events": list(self._events())}


def _qr_code(text: str) -> bytes:
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        picture, kind="svg", border=4, light="#fff", xmldecl=False, omitsize=True
    )
    return picture.getvalue()
