"""A threaded HTTP/1.1 server on the loopback interface, for WSGI applications."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from local.processes import LOOPBACK, free_port
from local.request_bodies import PlainRequestHandler, close_kept_connections

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)


class KeepAliveHandler(PlainRequestHandler):
    """Keeps connections open between requests, and does not write each request to stderr."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only where somebody asked for it."""
        LOG.debug("%s %s %s", self.requestline, code, size)


class WebServer:
    """Serves one WSGI application from a background thread until `stop`.

    It binds at once, so that others can be told `url`; another free port is taken where this one is in use.
    """

    def __init__(self, *, port: int = 0, handler: type[WSGIRequestHandler] = KeepAliveHandler) -> None:
        """Bind to the port."""
        self._server: BaseWSGIServer = make_server(
            LOOPBACK, free_port(port), _not_started, threaded=True, request_handler=handler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined] # of socketserver.ThreadingMixIn
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, application: "WSGIApplication") -> None:
        """Begin to answer. The application reads bodies by `read_body`, or stands behind `WholeBodies`."""
        self._server.app = application
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        close_kept_connections(self._server)
        self._server.server_close()


def _not_started(_environ: object, start_response: Callable[..., Any]) -> Iterable[bytes]:
    return respond(start_response, "503 Service Unavailable", [], b"")


def respond(
    start_response: Callable[..., Any], status: str, headers: Iterable[tuple[str, str]], body: bytes
) -> Iterable[bytes]:
    """Answer a WSGI request with a whole body."""
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]
