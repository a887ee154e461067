"""What begins with `#!` can be run as it is cloned."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (".ci", "docs", "events", "findings", "functions", "local", "operations", "statemachine", "tests")


def test_scripts_have_their_run_bit() -> None:
    scripts = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file() and is_script(path)]
    assert ROOT / ".ci" / "run" in scripts
    assert [str(script) for script in scripts if not os.access(script, os.X_OK)] == []


def is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
