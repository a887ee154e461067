"""`make mutants`, `python -m tests.mutants`: changes the code of money and seats a little, thousands of times, and sees
its tests fail.

mutmut (https://mutmut.readthedocs.io) makes the changes, with some of our own (`operators`), in a copy of the project:
it takes the folder `src`, as which the copy has `functions`, for the root of the modules. Each part has a MariaDB that
runs all the while. Exit code 1 where fewer changes are noticed than should be, or where one goes unnoticed that is not
in survivors.yaml, with the reason why it changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

import yaml

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.database.mariadb import MariaDB  # noqa: E402 -- the path is set above
from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the same
from tests.conftest import RUNNING_SERVER, connect_to  # noqa: E402 -- the same
from tests.mutants.parts import LOOKED_AT, PARTS, Part  # noqa: E402 -- the same
from ticketing.schema.runner import apply_migrations  # noqa: E402 -- the same

_COPIED = ("tests", "local", "operations", "statemachine", "events", "docs", "template.yaml", "pyproject.toml")
_PLUGINS_LEFT_OUT = ("randomly", "cacheprovider", "threadexception", "unraisableexception")
_SURVIVORS = Path(__file__).with_name("survivors.yaml")
# Of the changes that are made, so many hundredths must be noticed.
_NOTICED_PERCENT = 95
# A test that does not end any more has noticed as well.
_NOTICED = frozenset({"killed", "timeout", "suspicious", "segfault"})
# The text of a change that goes unnoticed, so that it is found again when others have come before it.
_LONGEST = 400


@dataclass(frozen=True)
class Change:
    """A change of a function (`module.function`): what stood there, and what stands there now."""

    function: str
    was: str
    now: str


@dataclass(frozen=True)
class Tried:
    """What came of a part: how many changes had which end, and those that went unnoticed."""

    counted: Counter[str]
    unnoticed: list[Change]
    seconds: float


def main(arguments: list[str]) -> int:
    """Try the changes of the parts that were named, or of those that have been looked at."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or a module of one")
    parser.add_argument(
        "--all", action="store_true", help="also the parts of which not all that goes unnoticed is known"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="so many parts at once")
    given = parser.parse_args(arguments)
    parts = PARTS | {module: Part((module,), part.tests) for part in PARTS.values() for module in part.modules}
    names = given.parts or list(PARTS if given.all else LOOKED_AT)
    unknown = set(names) - set(parts)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(parts)}")
    stop_as_by_ctrl_c()
    known = read_survivors()
    counted: Counter[str] = Counter()
    unlisted: list[Change] = []
    met: set[Change] = set()
    for name, tried in _all([(name, parts[name]) for name in names], given.at_once):
        counted += tried.counted
        met |= known.keys() & set(tried.unnoticed)
        unlisted += [change for change in tried.unnoticed if change not in known]
        if not given.json:
            print(f"{name}: {dict(tried.counted)}, {tried.seconds:.0f} s", flush=True)
    modules = {f"ticketing.{module.replace('/', '.')}" for name in names for module in parts[name].modules}
    gone = [c for c in known if c not in met and any(c.function.startswith(f"{module}.") for module in modules)]
    noticed = 100 * sum(counted[end] for end in _NOTICED) / max(sum(counted.values()), 1)
    cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    if given.json:
        shown = {"noticed_percent": round(noticed, 1), "counted": counted, "unlisted": [c.__dict__ for c in unlisted]}
        print(json.dumps(shown | {"gone": [c.__dict__ for c in gone], "cpu_seconds": round(cpu)}, indent=1))
    else:
        print(_told(unlisted, gone))
        print(
            f"{sum(counted.values())} changes: {noticed:.1f} % were noticed, {len(met)} change nothing"
            f" ({_SURVIVORS.name}), {len(unlisted)} should have been noticed; {cpu:.0f} s of a processor."
        )
    return 0 if noticed >= _NOTICED_PERCENT and not unlisted and not gone else 1


def _told(unlisted: Iterable[Change], gone: Iterable[Change]) -> str:
    lines = [f"{c.function}: nobody notices\n    - {c.was}\n    + {c.now}" for c in unlisted]
    lines += [f"{c.function}: noticed, or made no more; take it out of {_SURVIVORS.name}\n    + {c.now}" for c in gone]
    return "\n".join(lines)


def read_survivors() -> dict[Change, str]:
    """Give the changes that need not be noticed, each with the reason."""
    listed = yaml.safe_load(_SURVIVORS.read_text(encoding="utf-8")) or {}
    return {
        Change(function, entry["was"], entry["now"]): entry["why"]
        for function, entries in listed.items()
        for entry in entries
    }


# What runs now, to be ended when Ctrl-C ends this.
_RUNNING: set[subprocess.Popen[str]] = set()


def _all(parts: list[tuple[str, Part]], at_once: int) -> Iterator[tuple[str, Tried]]:
    with ThreadPoolExecutor(at_once) as threads:
        tries = [(name, threads.submit(_try, part)) for name, part in parts]
        try:
            for name, tried in tries:
                yield name, tried.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in set(_RUNNING):
                process.terminate()
            raise


def _try(part: Part) -> Tried:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cachao-mutants-") as name, _server(Path(name) / "mariadb") as server:
        folder = Path(name) / "copy"
        _copy(part, folder)
        output = _mutmut(folder, server, "run", "--max-children", "1")
        told = _mutmut(folder, server, "results", "--all", "true")
        results = dict(line.strip().rsplit(": ", 1) for line in told.splitlines() if "__mutmut_" in line)
        if not results or "not checked" in results.values():
            raise SystemExit(f"mutmut did not get through {', '.join(part.modules)}: {output[-3000:]}")
        unnoticed = [
            change_of(folder / "mutants" / "src", name) for name, end in results.items() if end not in _NOTICED
        ]
    return Tried(Counter(results.values()), unnoticed, time.monotonic() - began)


def _mutmut(folder: Path, server: Path, *arguments: str) -> str:
    environment = os.environ | {"CI": "1", "NO_COLOR": "1", RUNNING_SERVER: str(server)}
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("operators.py")), *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    _RUNNING.add(process)
    output, _ = process.communicate()
    _RUNNING.discard(process)
    return output.replace("\r", "\n")


@contextmanager
def _server(folder: Path) -> Iterator[Path]:
    with MariaDB(folder, port=0, durable=False) as server:
        (folder / "port").write_text(str(server.port), encoding="ascii")
        apply_migrations(connect_to(server, server.name))
        yield folder


def _copy(part: Part, folder: Path) -> None:
    shutil.copytree(_PROJECT / "functions", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _COPIED:
        copy = shutil.copytree if (_PROJECT / name).is_dir() else shutil.copy
        copy(_PROJECT / name, folder / name)
    configuration = (folder / "pyproject.toml").read_text(encoding="utf-8")
    configuration = configuration.replace('pythonpath = ["functions"', 'pythonpath = ["src"')
    (folder / "pyproject.toml").write_text(f"{configuration}\n{_settings(part)}", encoding="utf-8")


def _settings(part: Part) -> str:
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/ticketing/{module}.py" for module in part.modules],
        "also_copy": list(_COPIED),
        # The last two collect garbage five times a session, which takes longer than a test.
        "pytest_add_cli_args": ["-q", *(f"-pno:{name}" for name in _PLUGINS_LEFT_OUT)],
        "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in part.tests],
        # Seconds that a test may take longer than it did, on a busy machine.
        "timeout_constant": 20,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join(["[tool.mutmut]", *lines, "use_git_change_detection = false", ""])


def change_of(sources: Path, mutant: str) -> Change:
    """Give what mutmut changed: `module.x_function__mutmut_3`, or `module.xǁClassǁfunction__mutmut_3`."""
    module, _, name = mutant.rpartition(".")
    function = name.rpartition("__mutmut_")[0]
    text = (sources / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    before, after = (_source(text, full) for full in (f"{function}__mutmut_orig", name))
    lines = list(ndiff(before, after))
    was, now = (" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    shown = function.replace("xǁ", "").replace("ǁ", ".").removeprefix("x_")
    return Change(f"{module}.{shown}", was[:_LONGEST], now[:_LONGEST])


def _source(text: str, function: str) -> list[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
            return [line.replace(function, "def") for line in lines]
    raise LookupError(function)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
