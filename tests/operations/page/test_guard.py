"""Who gets nothing of the page: other sites' pages, foreign names, and other users of this machine."""

from __future__ import annotations

import pytest

from cachao.aws.environment import Environment
from cachao.page.application import Page
from cachao.page.guard import Guard, Sessions
from tests.operations.page.conftest import ADDRESS, Browser


@pytest.mark.parametrize(
    "host", ["evil.example:8123", "127.0.0.1.evil.example:8123", "127.0.0.1:9999", "127.0.0.1", "10.0.0.1:8123", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/about"])
def test_a_foreign_name_gets_nothing(browser: Browser, host: str, path: str) -> None:
    answer = browser.open(path, Host=host or "-")
    assert answer.status_code == 403
    assert "cachao" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123"])
def test_its_own_names_are_answered(browser: Browser, host: str) -> None:
    assert browser.open("/", Host=host).status_code == 200
    assert browser.open("/api/about", Host=host).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:5173"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
)
@pytest.mark.parametrize(("path", "body"), [("/api/about", None), ("/api/orders", {})])
def test_another_sites_page_gets_no_data(browser: Browser, headers: dict[str, str], path: str, body: object) -> None:
    answer = browser.open(path, body=body, **headers)
    assert (answer.status_code, answer.json["error"]) == (403, "This answers its own page only.")  # type: ignore[index] # it is an object


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_another_sites_form_can_send_is_no_question(browser: Browser, content_type: str) -> None:
    answer = browser.open("/api/orders", method="POST", Content_Type=content_type)
    assert answer.status_code == 400


def test_it_allows_no_script_but_its_own_and_no_frame(browser: Browser) -> None:
    policy = browser.open("/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


# --- With a token, as `cachao page` has it --------------------------------------------------------------------------


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def visitor(environment: Environment, sessions: Sessions) -> Browser:
    return Browser(Page(environment, Guard(sessions=sessions), changes=True))


def test_without_a_key_there_is_the_empty_page_only(visitor: Browser) -> None:
    assert visitor.open("/").status_code == 200
    answer = visitor.open("/api/about")
    assert answer.status_code == 401
    assert "press Enter" in answer.json["error"]  # type: ignore[index] # it is an object


def test_a_token_opens_the_page_once(visitor: Browser, sessions: Sessions) -> None:
    token = sessions.make_token()
    key = visitor.get("/api/session", {"token": token})["key"]
    assert key not in {None, token}
    visitor.headers["Authorization"] = f"Bearer {key}"
    assert visitor.get("/api/about")["stack"].startswith("cachao-local")
    again = visitor.open("/api/session", body={"token": token})
    assert again.status_code == 401


# What stood in the address is no key.
@pytest.mark.parametrize("authorization", ["Bearer {token}", "Basic {key}", "Bearer {key}x", "Bearer ", "{key}"])
def test_what_is_no_key_lets_nobody_in(visitor: Browser, sessions: Sessions, authorization: str) -> None:
    token = sessions.make_token()
    key = visitor.get("/api/session", {"token": token})["key"]
    assert visitor.open("/api/about", Authorization=authorization.format(token=token, key=key)).status_code == 401


def test_another_sites_page_cannot_use_up_the_token(visitor: Browser, sessions: Sessions) -> None:
    token = sessions.make_token()
    assert visitor.open("/api/session", body={"token": token}, Origin="https://evil.example").status_code == 403
    assert visitor.open("/api/session", body={"token": token}, Origin=ADDRESS).status_code == 200
