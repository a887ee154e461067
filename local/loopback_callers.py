"""Keeps web pages of elsewhere away from the local cloud: it has secrets, and asks nobody for a password.

Listening on loopback does not: a page that is open in this machine's browser may send requests there. Those carry the
page's `Origin`; where a foreign name was made to lead to 127.0.0.1 (DNS rebinding), their `Host` is that name.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFUSAL = b'{"message": "The local cloud answers programs and pages of this machine only."}'


class LoopbackCallersOnly:
    """WSGI application: passes on what this machine's own programs and pages ask, and refuses all else with 403."""

    def __init__(self, application: "WSGIApplication") -> None:
        """Stand in front of another application."""
        self._application = application

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle one request."""
        host, origin = environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")
        if _is_of_this_machine(f"//{host}" if host else None) and _is_of_this_machine(origin):
            return self._application(environ, start_response)
        return respond(start_response, "403 Forbidden", [("Content-Type", "application/json")], _REFUSAL)


def _is_of_this_machine(address: str | None) -> bool:
    """Whether an address leads to this machine by its own name; so it does where there is none."""
    if address is None:
        return True
    try:
        name = urlsplit(address).hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:  # no address, or no IP address: another name
        return False
