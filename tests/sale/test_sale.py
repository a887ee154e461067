"""A small sale in `make test`, the large one by `make sale`."""

from __future__ import annotations

import pytest

from tests.apart import run_apart


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_in_a_small_sale_every_seat_is_sold_once() -> None:
    assert "Every seat is sold, once." in run_apart("tests.sale", "--small")
