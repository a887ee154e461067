"""The page of the local cloud, asked as a browser asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from cachao.aws.environment import Environment
from cachao.page.application import Page
from cachao.page.guard import Guard
from tests.local.conftest import wait_until

ADDRESS = "http://127.0.0.1:8123"


class Browser:
    """Asks the page; by itself it says what a browser says of the page's own requests."""

    def __init__(self, application: Page) -> None:
        self._client = Client(application)
        self.headers: dict[str, str] = {"Sec-Fetch-Site": "same-origin"}

    def open(self, path: str, *, body: Any = None, method: str | None = None, **headers: str) -> TestResponse:
        given = {**self.headers, **({} if body is None else {"Origin": ADDRESS}), **_names(headers)}
        return self._client.open(
            path,
            method=method or ("GET" if body is None else "POST"),
            base_url=ADDRESS,
            json=body,
            headers={name: value for name, value in given.items() if value},
        )

    def get(self, path: str, body: Any = None) -> Any:
        answer = self.open(path, body=body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def rows(self) -> dict[str, dict[str, Any]]:
        """The list's rows by name, once the executions have been looked at and all are described."""
        assert wait_until(lambda: _is_whole(self.get("/api/executions")), 30)
        return {row["name"]: row for row in self.get("/api/executions")["rows"]}

    def wait_for_a_row(self) -> None:
        """Wait until one execution is described: of an AWS stack that are eight a second, and there may be hundreds."""
        assert wait_until(lambda: _describes_one(self.get("/api/executions")), 30)

    def do(self, action: str, **wish: Any) -> dict[str, Any]:
        """Ask for an action, and give what its command said when it asked, or had ended."""
        job = self.get(f"/api/actions/{action}", wish)
        assert wait_until(lambda: self.get(f"/api/jobs/{job['id']}")["state"] != "running", 90)
        return dict(self.get(f"/api/jobs/{job['id']}"))


def said(job: dict[str, Any]) -> str:
    """All words that a command printed on the page."""
    pieces = [block.get("text", []) for block in job["blocks"]]
    pieces += [cell for block in job["blocks"] for row in block.get("rows", []) for cell in row]
    names = [block["name"] for block in job["blocks"] if "name" in block]
    return "\n".join([*("".join(text for text, _ in spans) for spans in pieces), *names])


def _is_whole(changes: dict[str, Any]) -> bool:
    return bool(changes["looked"]) and all(row.get("known", True) for row in changes["rows"])


def _describes_one(changes: dict[str, Any]) -> bool:
    return bool(changes["looked"]) and any(row.get("known", True) for row in changes["rows"])


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def application(environment: Environment) -> Iterator[Page]:
    page = Page(environment, Guard(sessions=None), changes=True)
    yield page
    page.close()


@pytest.fixture
def browser(application: Page) -> Browser:
    return Browser(application)
