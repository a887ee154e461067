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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "none"}, 200),  # typed into the browser
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "http://localhost:5173/"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:5173"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),  # the page hides itself
    ],
)
def test_a_link_or_an_image_of_elsewhere_asks_nothing(headers: dict[str, str], status: int) -> None:
    client = Client(LoopbackCallersOnly(OWN))
    for path in ("/", "/moto-api/data.json"):
        assert client.get(path, headers={"Host": "127.0.0.1:4566", **headers}).status_code == status


def test_a_page_that_may_be_linked_to_from_anywhere() -> None:
    client = Client(LoopbackCallersOnly(OWN, linked_path="/c/pay/"))
    link = {"Host": "127.0.0.1:4242", "Sec-Fetch-Site": "cross-site"}
    assert client.get("/c/pay/cs_test_1", headers=link).status_code == 200
    assert client.post("/c/pay/cs_test_1", headers=link).status_code == 403
    assert client.get("/v1/account", headers=link).status_code == 403
    assert client.get("/c/pay/cs_test_1", headers={**link, "Host": "evil.example"}).status_code == 403


def test_a_name_that_leads_here_on_purpose() -> None:
    client = Client(LoopbackCallersOnly(OWN, public_host="shop.example"))
    assert client.post("/", headers={"Host": "shop.example", "Origin": "https://shop.example"}).status_code == 200
    assert client.post("/", headers={"Host": "shop.example", "Origin": "https://evil.example"}).status_code == 403
