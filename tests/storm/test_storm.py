"""A small storm in `make test`, the large one in `make test-all` and by `make storm`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sizes import size


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_storm_leaves_an_exact_balance() -> None:
    # A process of its own: a process has one local cloud, and this session has its own.
    done = subprocess.run(
        [sys.executable, "-m", "tests.storm", *size(["--small"], [])],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "The balance is exact." in done.stdout
