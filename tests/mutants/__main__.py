"""`make mutants`, `python -m tests.mutants`: changes the code of a rule a little, many times, and sees its tests fail.

mutmut (https://mutmut.readthedocs.io) makes the changes; what no test notices is listed. It works on a copy: it takes
the folder `src`, as which the copy has `functions`, for the root of the modules. Exit code 1 where fewer are noticed
than should be. SQL it does not change: that is what the planted faults of the schedules are for (tests/schedules).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
_COPIED = ("tests", "local", "operations", "statemachine", "events", "docs", "template.yaml", "pyproject.toml")
# Of the changes that are made, so many hundredths must be noticed.
_NOTICED_PERCENT = 95


@dataclass(frozen=True)
class Part:
    """Modules of `ticketing`, and the tests that must notice when one of them changes."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


# Rules without a database first: their tests take hundredths of a second, so each change is tried.
PARTS = {
    "standing": Part(("payments/standing",), ("ticketing/payments/test_standing.py",)),
    "count_plans": Part(("payments/count_plans",), ("ticketing/payments/test_count_plans.py",)),
    "pricing": Part(("checkout/pricing",), ("ticketing/checkout/test_pricing.py",)),
}


def main(arguments: list[str]) -> int:
    """Try the changes of the parts that were named, or of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args(arguments)
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}")
    results: dict[str, str] = {}
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="cachao-mutants-") as folder:
            results |= _try(PARTS[name], Path(folder), quiet=given.json)
    counted = Counter(results.values())
    noticed = 100 * counted["killed"] / max(sum(counted.values()), 1)
    left = sorted(name for name, result in results.items() if result != "killed")
    if given.json:
        print(json.dumps({"noticed_percent": round(noticed, 1), "counted": counted, "left": left}))
    else:
        print("\n".join(f"  {results[name]:<12} {name}" for name in left))
        print(f"{counted['killed']} of {sum(counted.values())} changes were noticed: {noticed:.1f} %.")
    return 0 if noticed >= _NOTICED_PERCENT else 1


def _try(part: Part, folder: Path, *, quiet: bool) -> dict[str, str]:
    """Give what became of each change: `killed`, `survived`, `no tests`, `timeout`, …"""
    shutil.copytree(_PROJECT / "functions", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _COPIED:
        copy = shutil.copytree if (_PROJECT / name).is_dir() else shutil.copy
        copy(_PROJECT / name, folder / name)
    configuration = (folder / "pyproject.toml").read_text(encoding="utf-8")
    configuration = configuration.replace('pythonpath = ["functions"', 'pythonpath = ["src"')
    (folder / "pyproject.toml").write_text(f"{configuration}\n{_settings(part)}", encoding="utf-8")
    mutmut = Path(sys.executable).with_name("mutmut")
    environment = os.environ | {"CI": "1", "NO_COLOR": "1"}
    output = subprocess.DEVNULL if quiet else None
    subprocess.run([mutmut, "run"], cwd=folder, env=environment, stdout=output, check=False)
    told = subprocess.run(
        [mutmut, "results", "--all", "true"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    results = dict(line.strip().rsplit(": ", 1) for line in told.stdout.splitlines() if "__mutmut_" in line)
    if not results:
        raise SystemExit(f"mutmut changed nothing of {', '.join(part.modules)}: {told.stderr[-500:]}")
    return results


def _settings(part: Part) -> str:
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/ticketing/{module}.py" for module in part.modules],
        "also_copy": list(_COPIED),
        "pytest_add_cli_args": ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in part.tests],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join(["[tool.mutmut]", *lines, "use_git_change_detection = false", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
