"""A webhook endpoint that keeps what it gets."""

from typing import Any

from werkzeug.wrappers import Request, Response

from local.stripe_stand_in.server import Server

SECRET = "whsec_of_the_tests"


class ReceivingEndpoint:
    """Answers with `status`; at first 200."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.status = 200
        self._server = Server(self, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.port}/webhooks/stripe"
        self.start, self.stop = self._server.start, self._server.stop

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.received.append((request.get_data(), request.headers["Stripe-Signature"]))
        return Response(status=self.status, headers={"Location": self.url})(environ, start_response)
