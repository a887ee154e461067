"""The page of docs/openapi.yaml: whole, and from this machine only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client, TestResponse

from local.aws.api_page import PATH, ApiPage
from local.web_server import respond

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.yaml"


def everything_else(_environ: Any, start_response: Any) -> Iterable[bytes]:
    return respond(start_response, "418 I'm a Teapot", [], b"")


def ask(path: str, method: str = "GET") -> TestResponse:
    return Client(ApiPage(DOCUMENT, everything_else)).open(path, method=method)


def test_all_that_the_page_needs_comes_from_here() -> None:
    page = ask(PATH)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "://" not in page.text
    needed = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(needed) == 4
    kinds = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
    for path in needed:
        part = ask(path)
        assert (part.status_code, part.mimetype) == (200, kinds[Path(path).suffix]), path
    start = ask(f"{PATH}/start.js").text
    assert "://" not in start
    [document] = re.findall(r'url: "([^"]+)"', start)
    served = ask(document)
    assert served.data == DOCUMENT.read_bytes()
    assert yaml.safe_load(served.data)["openapi"].startswith("3.1")
    # Swagger UI knows 3.1 since its version 5.
    assert b"oas31" in ask(f"{PATH}/swagger-ui-bundle.js").data


def test_a_browser_may_load_nothing_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in ask(PATH).headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for kind in ("script-src", "style-src", "img-src", "connect-src"):
        assert set(policy[kind].split()) <= {"'self'", "'unsafe-inline'", "data:"}
    assert policy["script-src"] == "'self'"


@pytest.mark.parametrize(
    "path", [f"{PATH}/no.js", f"{PATH}/../__init__.py", f"{PATH}/%2e%2e/%2e%2e/apps.py", f"{PATH}/LICENSE"]
)
def test_nothing_else_is_read(path: str) -> None:
    assert ask(path).status_code in {404, 418}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/docsx"), ("GET", "/"), ("POST", PATH), ("GET", "/events/1/tickets"), ("OPTIONS", f"{PATH}/a")],
)
def test_all_else_is_the_apis(method: str, path: str) -> None:
    assert ask(path, method).status_code == 418
