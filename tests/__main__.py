"""`python -m tests`: all tests in their chosen form, four pytest processes at a time. `--all`: in their full size.

`--lint`: `make lint`, beside the first parts; where it finds something, all ends.

`--built`: the workflow's tests, and tests/built, on what `sam build` makes and on the functions' own Python; `--all`
runs these, too, where that Python is.

The tests are cut into parts by their folders; whichever process is free takes the next part. Those that take longest
come first. `--all` also measures the branch coverage of functions/. `pytest`
alone runs everything in one process: it takes longer, and that is all.
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
from tests import artefact
from tests.reference.tools import ToolsMissing
from tests.sizes import VARIABLE

ROOT = Path(__file__).resolve().parent.parent
# More than the two processors of a small machine: each waits much of its time for its servers.
AT_ONCE = 4
Parts = dict[str, tuple[str, ...]]
# Every folder of tests/ that has tests, once (`check_parts`); a folder without those in it that another part has.
PARTS: Parts = {
    "local": ("local", "sale", "storm"),
    "workflow": ("workflow", "faults", "fuzz", "upgrade"),
    "operations": ("operations",),
    "operations, folders": tuple(
        f"operations/{folder}" for folder in ("books", "connect", "doctor", "page", "picture", "replay")
    ),
    "ticketing": ("ticketing",),
    "browser": ("browser",),
    "handlers": ("handlers", "property"),
    "project": ("bench", "built", "contract", "docs", "schedules"),
}
WHAT_SHIPS: Parts = {"what ships": ("built", "workflow")}
LINT = "lint"
_ALL_PASSED = 0
_TELL_EVERY_SECONDS = 30.0


def main(arguments: list[str]) -> int:
    """Run all parts with these further arguments of pytest; returns 0 when all passed and the coverage suffices."""
    begin = time.monotonic()
    check_parts()
    full, only_built = "--all" in arguments, "--built" in arguments
    parts: Parts = {LINT: ()} if "--lint" in arguments else {}
    parts |= {} if only_built else PARTS
    arguments = [argument for argument in arguments if argument not in {"--all", "--built", "--lint"}]
    not_run = ""
    if full or only_built:
        try:
            artefact.built()
            parts |= WHAT_SHIPS
        except ToolsMissing as error:
            not_run = f" NOT RUN, the tests of what ships: {error}."
    for leftover in ROOT.glob(".coverage*"):
        leftover.unlink()
    with tempfile.TemporaryDirectory(prefix="cachao-test-run-") as folder:
        codes = _run_parts(Path(folder), parts, arguments, full=full, begin=begin)
    failed = [part for part, code in codes.items() if code != _ALL_PASSED]
    uncovered = _coverage() if full else _ALL_PASSED
    said = f"Failed: {', '.join(failed)}." if failed else "All passed." if codes else ""
    print(f"\n{time.monotonic() - begin:.0f} s. {said}{not_run}")
    return 1 if failed or uncovered or not codes else 0


def check_parts() -> None:
    """See that no folder of tests is left out, and none is run twice.

    Raises:
        SystemExit: one is; the message names it.
    """
    there = sorted({path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")})
    named = sorted(folder for folders in PARTS.values() for folder in folders if "/" not in folder)
    if there != named:
        raise SystemExit(f"tests/__main__.py, PARTS names {named}, but there is {there}.")


def _run_parts(folder: Path, parts: Parts, arguments: list[str], *, full: bool, begin: float) -> dict[str, int]:
    waiting = list(parts)
    running: dict[str, subprocess.Popen[bytes]] = {}
    codes: dict[str, int] = {}
    told = begin
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                part = waiting.pop(0)
                if part == LINT:
                    running[part] = _start(["make", "--no-print-directory", LINT], folder / part, {})
                    continue
                # What ships is Python's and the bundle's matter: the chosen form shows it.
                ships = part in WHAT_SHIPS
                environment = {artefact.VARIABLE: "1"} if ships else {}
                command, more = _pytest(parts[part], arguments, full=full and not ships)
                running[part] = _start(command, folder / part, environment | more)
            time.sleep(0.1)
            for part in [part for part, process in running.items() if process.poll() is not None]:
                codes[part] = running.pop(part).returncode
                print(f"\n===== {part if part == LINT else f'Tests: {part}'} =====", flush=True)
                print((folder / part).read_text(encoding="utf-8", errors="replace"), flush=True)
            if codes.get(LINT, _ALL_PASSED) != _ALL_PASSED:
                break
            if time.monotonic() - told > _TELL_EVERY_SECONDS:
                told = time.monotonic()
                print(f"  {told - begin:4.0f} s: {' and '.join(running)} …", flush=True)
    finally:
        _stop(running.values())
    return codes


def _pytest(part: tuple[str, ...], arguments: list[str], *, full: bool) -> tuple[list[str], dict[str, str]]:
    """Give the command of a part, and its variables."""
    coverage = ["-m", "coverage", "run", "--parallel-mode"] if full else []
    folders = [f"tests/{folder}" for folder in part]
    elsewhere = [f"--ignore=tests/{inner}" for inner in _inner() if inner not in part]
    command = [sys.executable, *coverage, "-m", "pytest", "-q", *folders, *elsewhere, *arguments]
    return command, {VARIABLE: "full"} if full else {}


def _start(command: list[str], output: Path, more: dict[str, str]) -> subprocess.Popen[bytes]:
    # COLUMNS: it writes into a file, which has no width.
    environment = os.environ | {"COLUMNS": "120"} | more
    with output.open("wb") as stream:
        return subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, env=environment)


def _inner() -> list[str]:
    return [folder for folders in PARTS.values() for folder in folders if "/" in folder]


def _coverage() -> int:
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    return subprocess.run([*coverage, "report"], cwd=ROOT, check=False).returncode


def _stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End what still runs, as Ctrl-C would: pytest then stops the servers that it started."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        process.wait()


if __name__ == "__main__":
    stop_as_by_ctrl_c()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
