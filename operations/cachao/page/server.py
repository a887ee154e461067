"""The page's own server: on loopback, at a free port, for as long as `cachao page` runs."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK: Final = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    """Writes nothing into the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


class PageServer:
    """Serves an application until `stop`."""

    def __init__(self, application: WSGIApplication, *, port: int = 0) -> None:
        """Bind to the port; 0: a free one.

        Raises:
            OSError: the port is taken.
        """
        # werkzeug would end the process where the port is taken.
        with socket.create_server((LOOPBACK, port)) as listening:
            self._port = int(listening.getsockname()[1])
            self._server = make_server(
                LOOPBACK, self._port, application, threaded=True, request_handler=_Handler, fd=listening.fileno()
            )
        self._server.daemon_threads = True  # type: ignore[attr-defined] # of socketserver.ThreadingMixIn
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{LOOPBACK}:{self._port}/"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
