"""Keeps other web pages away from what has secrets and asks nobody for a password: the local cloud, Stripe.

Listening on loopback does not: a page that is open in this machine's browser may send requests there. Browsers say so:

- `Host` is another name where a foreign name was made to lead to 127.0.0.1 (DNS rebinding).
- `Origin` is the page's, where it posts or asks by script.
- A link, an image or a script tag is a GET without an `Origin`; there `Sec-Fetch-Site` is `cross-site`, and `Referer`
  the page's, or missing where the page hides itself. (https://www.w3.org/TR/fetch-metadata/; browsers send it to
  loopback also without TLS.)
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFUSAL = b'{"message": "This answers programs and pages of this machine only."}'


class LoopbackCallersOnly:
    """WSGI application: passes on what this machine's own programs and pages ask, and refuses all else with 403."""

    def __init__(
        self, application: "WSGIApplication", *, public_host: str | None = None, linked_path: str | None = None
    ) -> None:
        """Stand in front of another application.

        Args:
            application: The other application.
            public_host: One more name that leads here on purpose.
            linked_path: What begins so may be linked to from anywhere (GET): a page that shows nothing to who links.
        """
        self._application = application
        self._public_host = public_host
        self._linked_path = linked_path

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle one request."""
        if self._may_ask(environ):
            return self._application(environ, start_response)
        return respond(start_response, "403 Forbidden", [("Content-Type", "application/json")], _REFUSAL)

    def _may_ask(self, environ: "WSGIEnvironment") -> bool:
        host, origin = environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")
        if not (self._is_ours(f"//{host}" if host else None) and self._is_ours(origin)):
            return False
        if origin is not None or environ.get("HTTP_SEC_FETCH_SITE") != "cross-site":
            return True
        path, reading = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD") in {"GET", "HEAD"}
        if reading and self._linked_path is not None and path.startswith(self._linked_path):
            return True
        referer = environ.get("HTTP_REFERER")
        return referer is not None and self._is_ours(referer)

    def _is_ours(self, address: str | None) -> bool:
        return _is_of_this_machine(address) or (
            self._public_host is not None and address is not None and _host_of(address) == self._public_host
        )


def _is_of_this_machine(address: str | None) -> bool:
    """Whether an address leads to this machine by its own name; so it does where there is none."""
    if address is None:
        return True
    name = _host_of(address)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:  # no IP address: another name
        return False


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # no address
        return ""
