"""The storefront's own addresses: its files and nothing else; all else is the API's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

import local.storefront
from local.storefront import Storefront
from local.web_server import respond

PAGES = Path(local.storefront.__file__).parent / "pages"
SIGN_IN = {"endpoint_url": "http://127.0.0.1:4566", "client_id": "client", "user_pool_id": "pool", "issuer": "cognito"}
EVENT = {"id": "1", "name": "Salsa", "start": None, "end": None}


def everything_else(_environ: Any, start_response: Any) -> Iterable[bytes]:
    return respond(start_response, "418 I'm a Teapot", [], b"")


def ask(path: str, method: str = "GET", **options: Any) -> TestResponse:
    user = {"email": "a@example.com", "password": "p"}
    shop = Storefront(everything_else, sign_in=SIGN_IN, ready_user=user, events=lambda: [EVENT])
    return Client(shop).open(path, method=method, **options)


@pytest.mark.parametrize(
    "path", ["/", "/events/12", "/events/12?payment=success&session_id=cs_1", "/my-tickets", "/sign-in"]
)
def test_each_page_is_the_same_file_and_loads_nothing_from_elsewhere(path: str) -> None:
    page = ask(path)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.data == (PAGES / "page.html").read_bytes()
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {SIGN_IN['endpoint_url']}"


def test_all_that_the_pages_name_is_there() -> None:
    named = {
        name
        for file in PAGES.iterdir()
        for name in re.findall(r"[\"'`](?:/storefront/|\./)([\w.-]+)", file.read_text())
    }
    assert {"start.js", "style.css", "icon.svg", "event-page.js", "shop.json", "qr.svg"} <= named
    for name in named - {"qr.svg"}:
        assert ask(f"/storefront/{name}").status_code == 200, name
    left_over = {file.name for file in PAGES.iterdir()} - named - {"page.html"}
    assert left_over == set()
    for file in PAGES.glob("*.js"):
        assert not re.search(r"https?://", file.read_text()), file.name


def test_shop_json_has_what_a_frontend_is_built_with() -> None:
    told = json.loads(ask("/storefront/shop.json").data)
    assert told["events"] == [EVENT]
    assert told["sign_in"] == {"endpoint_url": SIGN_IN["endpoint_url"], "client_id": "client"}


def test_a_text_becomes_a_qr_code() -> None:
    code = ask("/storefront/qr.svg", query_string={"text": "http://127.0.0.1:8000/events/1"})
    assert (code.status_code, code.mimetype) == (200, "image/svg+xml")
    assert code.data.startswith(b"<svg")
    for text in ("", "x" * 601):
        assert ask("/storefront/qr.svg", query_string={"text": text}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/storefront/no.js",
        "/storefront/../server.py",
        "/storefront/%2e%2e/server.py",
        "/storefront/",
        "/storefront/pages",
    ],
)
def test_nothing_else_is_read(path: str) -> None:
    assert ask(path).status_code in {404, 418}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/events/1/tickets"),
        ("POST", "/events/1/tickets/2/checkout"),
        ("POST", "/"),
        ("GET", "/events/0"),
        ("GET", "/events/x"),
        ("GET", "/user/tickets"),
        ("GET", "/orders?session_id=cs_1"),
        ("GET", "/docs"),
        ("OPTIONS", "/storefront/shop.json"),
    ],
)
def test_all_else_is_the_apis(method: str, path: str) -> None:
    assert ask(path, method).status_code == 418
