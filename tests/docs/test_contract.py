"""`make contract` says plainly that it was skipped, and takes no key that could move real money."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.contract import __main__ as contract
from tests.contract.conftest import KEY_VARIABLE


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def call(command: list[str], **given: Any) -> int:
        calls.append((command, given))
        return 1

    monkeypatch.setattr(subprocess, "call", call)
    return calls


def test_without_a_key_it_was_skipped(called: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main([], {}) == 0
    assert capsys.readouterr().out.startswith("SKIPPED: Stripe was not asked")
    assert called == []


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1", "pk_test_1", "sk_test_1 "])
def test_only_a_test_key_is_taken(called: list[Any], capsys: pytest.CaptureFixture[str], key: str) -> None:
    assert contract.main([], {"STRIPE_SECRET_KEY": key}) == 2
    assert key not in capsys.readouterr().err
    assert called == []


def test_with_one_every_belief_is_asked(called: list[Any]) -> None:
    assert contract.main(["-k", "money"], {"STRIPE_SECRET_KEY": "sk_test_1", "PATH": "/bin"}) == 1
    [(command, given)] = called
    assert command[1:4] == ["-m", "pytest", "tests/contract"]
    assert "-x" not in command
    assert command[-2:] == ["-k", "money"]
    assert given["env"][KEY_VARIABLE] == "sk_test_1"
