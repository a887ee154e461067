"""How much a test does: a small, chosen form in `make test`, all of it in `make test-all` (`python -m tests --all`)."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

# Set by `python -m tests --all`; by hand for one test: TEST_SIZE=full .venv/bin/python -m pytest tests/faults
VARIABLE: Final = "TEST_SIZE"
FULL: Final = os.environ.get(VARIABLE) == "full"


def size(chosen: T, full: T) -> T:
    """Give `chosen` in `make test`, `full` in `make test-all`."""
    return full if FULL else chosen
