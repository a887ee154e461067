"""A small storm in `make test`, the large one in `make test-all` and by `make storm`."""

from __future__ import annotations

import pytest

from tests.apart import run_apart
from tests.sizes import size


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_storm_leaves_an_exact_balance() -> None:
    assert "The balance is exact." in run_apart("tests.storm", *size(["--small"], []))
