"""The set of ids says what a plain set would, in a fraction of its memory."""

from __future__ import annotations

import random
import tracemalloc
from typing import Final

import pytest

from tests.sizes import size
from ticketing.books import ids
from ticketing.books.ids import SeenIds

MANY: Final = size(60_000, 200_000)


def test_it_says_what_a_plain_set_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_LOOSE", 7)
    seen, plain = SeenIds(), set[str]()
    chance = random.Random(1)
    for _ in range(2000):
        name = f"txn_{chance.randrange(1500)}"
        assert seen.add(name) is (name not in plain)
        plain.add(name)
    assert [f"txn_{number}" in seen for number in range(1500)] == [f"txn_{number}" in plain for number in range(1500)]
    assert len(seen._runs) < 10


def test_it_takes_ten_bytes_for_an_id() -> None:
    tracemalloc.start()
    try:
        seen = SeenIds()
        for number in range(MANY):
            seen.add(f"txn_{number}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < MANY * 10 + 2_500_000  # and the loose ones
