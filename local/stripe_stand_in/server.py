"""The HTTP server: loopback, a thread for each connection, quiet."""

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, make_server

from local.request_bodies import PlainRequestHandler, WholeBodies, close_kept_connections

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


# How long stopping takes at most.
_POLL_SECONDS = 0.5


class _Handler(PlainRequestHandler):
    def connection_dropped(self, error: BaseException, environ: "WSGIEnvironment | None" = None) -> None:
        """Ask a connection that is gone for nothing more."""
        del error, environ
        self.close_connection = True

    def log(self, *_args: Any) -> None:  # noqa: ANN401 - as inherited
        """Log nothing: paths carry session ids, which open a buyer's order."""


class Server:
    """Serves a WSGI application on loopback.

    Args:
        app: The application.
        host: The address to listen on.
        port: The port; 0: a free one.
    """

    def __init__(self, app: "WSGIApplication", host: str, port: int) -> None:
        """Bind the address; see the class."""
        self._host = host
        self._server: BaseWSGIServer = make_server(
            host, port, WholeBodies(app), threaded=True, request_handler=_Handler
        )
        self._thread = threading.Thread(target=self._serve, name="stripe-stand-in", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        stopping = threading.Thread(target=self._server.shutdown, daemon=True)
        stopping.start()
        while stopping.is_alive():
            # The server looks whether it is to stop when somebody connects, or at its next poll.
            with contextlib.suppress(OSError):
                socket.create_connection((self._host, self.port), timeout=1).close()
            stopping.join(timeout=0.005)
        self._thread.join(timeout=5)
        close_kept_connections(self._server)
        self._server.server_close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=_POLL_SECONDS)
