"""Evidence is uploaded where Stripe takes files, and once, whatever it answered before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ticketing.errors import StripeUnavailable
from ticketing.stripe import client as stripe_client
from ticketing.stripe.disputes import StripeDisputes
from ticketing.stripe.http_client import PooledHttpClient

MADE: Any = (b'{"id": "file_1", "object": "file"}', 200, {})
FAILED = b'{"error": {"type": "api_error", "message": "Sorry."}}'


class Stripe:
    """Answers in turn, and keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []

    def request(self, _method: str, url: str, headers: Mapping[str, str], _post_data: object = None) -> Any:
        self.asked.append((url, headers.get("Idempotency-Key")))
        return self._answers.pop(0)


def upload(monkeypatch: pytest.MonkeyPatch, *answers: Any, api_base: str = "https://api.stripe.com") -> tuple[str, Any]:
    stripe = Stripe(*answers)
    monkeypatch.setattr(PooledHttpClient, "request", stripe.request)
    client = stripe_client.client("sk_test_files", api_base=api_base, network_retries=0)
    return StripeDisputes(client).upload("scan.pdf", b"%PDF-1.7"), stripe.asked


def test_files_have_a_host_of_their_own_at_stripe_and_a_stand_in_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, [(url, key)] = upload(monkeypatch, MADE)
    assert url == "https://files.stripe.com/v1/files"
    _, [(local, again)] = upload(monkeypatch, MADE, api_base="http://127.0.0.1:12111")
    assert (local, again) == ("http://127.0.0.1:12111/v1/files", key)


def test_an_error_of_before_keeps_no_file_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found, [(_, first), (_, second)] = upload(monkeypatch, (FAILED, 500, {"Idempotent-Replayed": "true"}), MADE)
    assert (found, first != second) == ("file_1", True)
    with pytest.raises(StripeUnavailable):
        upload(monkeypatch, (FAILED, 500, {}))
