"""`python -m tests`: all tests, in two pytest processes side by side, with the branch coverage of functions/ measured.

One process has the tests that share the deployed template (they use the fixture `session_cloud`); the other has all
the rest, among them tests that start a stack of their own, which moto allows only once in a process. `pytest` alone
runs everything in one process, in the same order of groups: it takes longer, and that is all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from local.signals import INTERRUPTED, stop_as_by_ctrl_c

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("not cloud", "cloud")
_ALL_PASSED = 0


def main(arguments: list[str]) -> int:
    """Run both groups with these further arguments of pytest; returns 0 when all passed and the coverage suffices."""
    begin = time.monotonic()
    for leftover in ROOT.glob(".coverage*"):
        leftover.unlink()
    with tempfile.TemporaryDirectory(prefix="cachao-test-run-") as folder:
        outputs = {group: Path(folder) / group.replace(" ", "-") for group in GROUPS}
        running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for group in GROUPS:
                running[group] = _start(group, outputs[group], arguments)
            codes = {group: _wait(group, process, begin) for group, process in running.items()}
        finally:
            _stop(running.values())
        for group in GROUPS:
            print(f"\n===== Tests: {group} =====", flush=True)
            print(outputs[group].read_text(encoding="utf-8", errors="replace"), flush=True)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    covered = subprocess.run([*coverage, "report"], cwd=ROOT, check=False).returncode
    failed = [group for group, code in codes.items() if code != _ALL_PASSED]
    print(f"\n{time.monotonic() - begin:.0f} s. " + (f"Failed: {', '.join(failed)}." if failed else "All passed."))
    return 1 if failed or covered else 0


def _start(group: str, output: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "coverage",
        "run",
        "--parallel-mode",
        "-m",
        "pytest",
        "-q",
        "-m",
        group,
        *arguments,
    ]
    with output.open("wb") as stream:
        # COLUMNS: both write into files, which have no width.
        return subprocess.Popen(
            command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, env=os.environ | {"COLUMNS": "120"}
        )


def _stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End what still runs, as Ctrl-C would: pytest then stops the servers that it started."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        process.wait()


def _wait(group: str, process: subprocess.Popen[bytes], begin: float) -> int:
    while True:
        try:
            code = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            print(f"  {time.monotonic() - begin:4.0f} s: tests ({group}) are running …", flush=True)
        else:
            print(f"  {time.monotonic() - begin:4.0f} s: tests ({group}) ended with {code}", flush=True)
            return code


if __name__ == "__main__":
    stop_as_by_ctrl_c()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
