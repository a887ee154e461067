"""Which client a request comes from, and whom the shop believes that he is another one's proxy."""

from __future__ import annotations

import time

import pytest

from handlers.api.clients import client_of
from handlers.api.http import Request

PROXY, EDGE, BUYER = "192.0.2.7", "130.176.0.1", "203.0.113.9"
SECRET = "a-secret-of-thirty-two-characters"


def network(source_ip: str, forwarded: str = "", **headers: str) -> str | None:
    request = Request(
        route="POST /checkout",
        headers={"x-forwarded-for": forwarded, **{name.replace("_", "-"): value for name, value in headers.items()}},
        path={},
        query={},
        raw_body="",
        is_base64=False,
        answer_by=time.monotonic(),
        source_ip=source_ip,
        own_address=None,
    )
    client = client_of(request)
    return None if client is None else client.network


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", f"{PROXY}, 2001:db8::/48")
    monkeypatch.setenv("PROXY_SECRET", SECRET)


@pytest.mark.parametrize(
    ("source_ip", "forwarded", "client"),
    [
        (BUYER, "", BUYER),
        (BUYER, f"198.51.100.1, {BUYER}", BUYER),  # he may say what he likes
        (PROXY, f"{BUYER}, {PROXY}", BUYER),
        (PROXY, f"198.51.100.1, {BUYER}, {PROXY}", BUYER),
        (PROXY, f"{BUYER}, 2001:db8::5, {PROXY}", BUYER),
        (PROXY, "", PROXY),
        (PROXY, f"nonsense, {PROXY}", PROXY),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "", BUYER),
        ("", BUYER, None),
    ],
)
def test_a_proxy_is_known_by_its_address(source_ip: str, forwarded: str, client: str | None) -> None:
    assert network(source_ip, forwarded) == client


@pytest.mark.parametrize(
    ("secret", "client"),
    [(SECRET, BUYER), (f"{SECRET}x", EDGE), ("", EDGE), ("ä", EDGE)],
)
def test_a_proxy_with_many_addresses_is_known_by_a_secret(secret: str, client: str) -> None:
    assert network(EDGE, f"198.51.100.1, {BUYER}, {EDGE}", x_cachao_proxy=secret) == client


def test_without_a_secret_nobody_is_known_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROXY_SECRET")
    assert network(EDGE, f"{BUYER}, {EDGE}", x_cachao_proxy="") == EDGE


def test_the_secret_makes_only_its_sender_a_proxy() -> None:
    # Whom CloudFront names is the client, whoever that says was before him.
    assert network(EDGE, f"198.51.100.1, 198.51.100.2, {BUYER}, {EDGE}", x_cachao_proxy=SECRET) == BUYER
