"""The operators' page beside the API: `/operations`. It is what `cachao page` serves, without a token of its own.

Like the rest of the local stack it asks this machine's own programs and pages for no password, and refuses all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cachao.aws.environment import local_environment
from cachao.page.application import Page
from cachao.page.guard import Guard
from local.loopback_callers import LoopbackCallersOnly
from local.request_bodies import WholeBodies
from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/operations"


class OperatorsPage:
    """WSGI application: answers what is below `/operations`, passes everything else on."""

    def __init__(self, description: Mapping[str, Any], everything_else: WSGIApplication) -> None:
        """Stand in front of another application; `description` is what `stack.json` says."""
        self._everything_else = everything_else
        self._page = Page(local_environment(description), Guard(sessions=None), changes=True)
        self._guarded = WholeBodies(LoopbackCallersOnly(self._page))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        path = environ["PATH_INFO"]
        if path == PATH:
            return respond(start_response, "308 Permanent Redirect", [("Location", f"{PATH}/")], b"")
        if not path.startswith(f"{PATH}/"):
            return self._everything_else(environ, start_response)
        # In place: the server asks the same dictionary whether the body was read.
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = PATH, path.removeprefix(PATH)
        return self._guarded(environ, start_response)

    def close(self) -> None:
        """Look no more."""
        self._page.close()
