"""Runs a part of the tests as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_apart(module: str, *arguments: str, seconds: float = 280) -> str:
    """Run `python -m module`, which must end well; give what it wrote.

    A process has one local cloud, and this session has its own.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=Path(__file__).parents[1],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout
