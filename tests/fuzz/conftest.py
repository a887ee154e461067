"""The functions in this process, on a real database, with Stripe's stand-in and everything they log."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from handlers import runtime, stripe_access
from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect
from tests.handlers.api.conftest import api, stripe, stripe_server
from tests.sizes import size
from ticketing.database import Database
from ticketing.stripe import client as stripe_client

__all__ = ["api", "stripe", "stripe_server"]

_COUNT, _SEED = "FUZZ_COUNT", "FUZZ_SEED"


@pytest.fixture
def fuzz_count() -> int:
    """How many mutations each test tries."""
    return int(os.environ.get(_COUNT) or size(1000, 10_000))


@pytest.fixture
def chance(capsys: pytest.CaptureFixture[str]) -> random.Random:
    """Where all mutations come from. The seed is printed, and taken from FUZZ_SEED where that is set."""
    seed = int(os.environ.get(_SEED) or random.SystemRandom().randrange(10**9))
    with capsys.disabled():
        print(f"\n{_SEED}={seed}")
    return random.Random(seed)


@pytest.fixture
def functions(
    connect: Connect, database: Database, stripe_server: StripeStandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The workflow's functions with the settings that template.yaml gives them."""
    monkeypatch.setenv("STRIPE_LIVEMODE", "false")
    monkeypatch.setenv("STRIPE_ACCOUNT_SHARED", "false")
    monkeypatch.setattr(runtime.metrics, "namespace", "Cachao", raising=False)
    monkeypatch.setattr(runtime.database, "_connect", connect)
    client = stripe_client.client("sk_test_fuzz", api_base=stripe_server.url, network_retries=0)
    monkeypatch.setattr(stripe_access, "client", lambda **_: client)
    runtime.database.close()
    yield
    runtime.database.close()
