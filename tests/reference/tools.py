"""Others' tools from npm, pinned in package-lock.json: installed into `.venv` when first needed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
_INSTALLED: Final = HERE.parents[1] / ".venv" / "reference"
_LOCK: Final = HERE / "package-lock.json"


class ToolsMissing(Exception):
    """They are not there and cannot be installed; the message says why."""


def installed_tools() -> Path:
    """Give the folder that has `node_modules`, installed as pinned.

    Raises:
        ToolsMissing: there is no Node.js, or npm could not install them.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise ToolsMissing("Node.js with npm is not installed (Debian: apt-get install nodejs npm)")
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    stamp = _INSTALLED / "installed"
    with _LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes at once
        if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
            _install(npm)
            stamp.write_text(wanted, encoding="ascii")
    return _INSTALLED


def run_node(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder, or a program of the tools (`node_modules/…`), and give how it ended."""
    tools = installed_tools()
    path = tools / script if script.startswith("node_modules/") else HERE / script
    return subprocess.run(
        ["node", str(path), *arguments],
        env={**os.environ, "NODE_PATH": str(tools / "node_modules")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _install(npm: str) -> None:
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    _INSTALLED.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, _INSTALLED)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=_INSTALLED,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolsMissing(f"npm could not install them: {(done.stderr or done.stdout).strip()[-300:]}")
