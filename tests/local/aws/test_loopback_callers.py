from __future__ import annotations

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from local.loopback_callers import LoopbackCallersOnly

OWN = Response("secrets")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:4566"}, 200),
        ({"Host": "localhost:4566", "Origin": "http://localhost:5173"}, 200),
        ({"Host": "[::1]:4566", "Origin": "http://127.0.0.1:3000"}, 200),
        ({"Host": "bucket.localhost:4566"}, 200),
        ({"Host": "127.0.0.1:4566", "Origin": "https://evil.example"}, 403),
        ({"Host": "127.0.0.1:4566", "Origin": "https://localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1:4566", "Origin": "null"}, 403),
        ({"Host": "evil.example:4566"}, 403),
        ({"Host": "[::1"}, 403),
    ],
)
def test_who_may_ask(headers: dict[str, str], status: int) -> None:
    client = Client(LoopbackCallersOnly(OWN))
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.open("/", method=method, headers=headers)
        assert answer.status_code == status
        assert (b"secrets" in answer.data) == (status == 200)
