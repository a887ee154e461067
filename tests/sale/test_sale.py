"""A small sale in `make test`, the large one by `make sale`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_in_a_small_sale_every_seat_is_sold_once() -> None:
    # A process of its own: a process has one local cloud, and this session has its own.
    done = subprocess.run(
        [sys.executable, "-m", "tests.sale", "--small"],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "Every seat is sold, once." in done.stdout
