"""The WSGI application: API, hosted page and control endpoints behind one address."""

import logging
import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from local.stripe_stand_in import hosted_page, sessions
from local.stripe_stand_in.api import Api
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.control import PREFIX, Control, json_response
from local.stripe_stand_in.errors import server_error
from local.stripe_stand_in.faults import ConnectionLostError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

_LARGEST_BODY = 8 * 1024 * 1024


class _BoundedRequest(Request):
    max_content_length = _LARGEST_BODY


class App:
    """Routes a request to one of the three applications."""

    def __init__(self, api: Api, control: Control, context: Context, is_stopped: Callable[[], bool]) -> None:
        """Take the three applications; the hosted page works on the context itself."""
        self._api = api
        self._control = control
        self._context = context
        self._is_stopped = is_stopped

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        if self._is_stopped():
            # Taken in the last moment; the database is closed or about to be.
            _reset_connection(environ)
        request = _BoundedRequest(environ)
        try:
            response = self._respond(request)
        except ConnectionLostError:
            _reset_connection(environ)
        except HTTPException as error:
            response = Response(error.description, status=error.code, content_type="text/plain")
        except Exception:
            logger.exception("The stand-in failed: %s %s", request.method, request.path)
            failure = server_error(saved=False)
            response = json_response(failure.body(""), failure.status)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        request.get_data()  # closing a connection with an unread body resets it before the answer is read
        path = request.path
        if path.startswith(PREFIX):
            return self._control.respond(request)
        if path.startswith(sessions.CHECKOUT_PATH) and request.method in {"GET", "HEAD", "POST"}:
            session_id = path.removeprefix(sessions.CHECKOUT_PATH)
            return hosted_page.respond(self._context, request, session_id)
        return self._api(request)


def _reset_connection(environ: "WSGIEnvironment") -> NoReturn:
    """Close the connection with a TCP reset, as a crashed peer does.

    Raises:
        ConnectionResetError: Always; the server drops the connection without an answer.
    """
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # detach: a plain close waits for the server's own files on the socket.
        os.close(connection.detach())
    raise ConnectionResetError("reset on purpose")
