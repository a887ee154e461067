"""Runs a script as Lambda would: of this machine's packages only those of functions/requirements.txt are there."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import Requirement

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"

# Lambda's own Python brings it: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
_OF_LAMBDA = {"snapshot_restore_py"}

_REFUSE_THE_REST = """
import sys

class _NotInTheBundle:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in IN_THE_BUNDLE:
            raise ModuleNotFoundError(f"No module named {name!r} in the bundle", name=name)

sys.meta_path.insert(0, _NotInTheBundle())
"""


def run_in_the_bundle(script: str, given: object = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a script in a process of its own with the template's variables; `given` is JSON on its standard input.

    Returns:
        What it printed.
    """
    found = sorted(
        _packages()
        | _OF_LAMBDA
        | sys.stdlib_module_names
        | {path.name for path in FUNCTIONS.iterdir() if path.is_dir()}
    )
    done = subprocess.run(
        [sys.executable, "-c", f"IN_THE_BUNDLE = frozenset({found!r}){_REFUSE_THE_REST}{script}"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FUNCTIONS),
            "STRIPE_LIVEMODE": "false",
            "STRIPE_ACCOUNT_SHARED": "false",
            "LAMBDA_TASK_ROOT": str(FUNCTIONS),
            "POWERTOOLS_SERVICE_NAME": "ticket-payment",
            "POWERTOOLS_METRICS_NAMESPACE": "Cachao",
            **(environment or {}),
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def _packages() -> set[str]:
    pinned = (FUNCTIONS / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {Requirement(line.removesuffix(" \\")).name for line in pinned if "==" in line}
    return {
        Path(file.parts[0]).name.partition(".")[0]
        for name in names
        for file in importlib.metadata.files(name) or ()
        if not file.parts[0].endswith((".dist-info", ".pth")) and file.parts[0] != ".."
    }
