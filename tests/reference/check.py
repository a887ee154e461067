"""`make check`: the templates and the state machine by others' tools. What cannot be installed here is said.

The tools from PyPI get environments of their own in `.venv/check`: their needs and the project's do not agree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.reference.tools import HERE, ToolsMissing, run_node

ROOT: Final = HERE.parents[1]
BIN: Final = Path(sys.executable).parent
TEMPLATES: Final = ("template.yaml", *sorted(f"deploy/{path.name}" for path in (ROOT / "deploy").glob("*-*.yaml")))
MACHINE: Final = ROOT / "statemachine" / "ticket_payment.asl.yaml"
_SECONDS: Final = 600


def main() -> int:
    """Run all checks; returns 1 when one found something."""
    found, missing = [], []
    checks: dict[str, Callable[[], str]] = {
        "cfn-lint": lambda: run([str(BIN / "cfn-lint"), *TEMPLATES]),
        "asl-validator and amazon-states-language-service": lambda: "\n".join(machine_findings(MACHINE)),
        "sam validate --lint": lambda: run([str(tool("sam")), "validate", "--lint", "--template", "template.yaml"]),
        "checkov": lambda: "".join(
            run([str(tool("checkov")), "--config-file", "tests/reference/checkov.yaml", "--file", template])
            for template in TEMPLATES
        ),
    }
    for name, check in checks.items():
        try:
            said = check()
        except ToolsMissing as error:
            missing.append(name)
            print(f"{name}: NOT RUN, {error}", flush=True)
        else:
            print(f"{name}: {'found' if said else 'nothing found'}", *([said] if said else []), sep="\n", flush=True)
            found += [name] if said else []
    if missing:
        print(f"\nNot run here: {', '.join(missing)}.")
    return 1 if found else 0


def machine_findings(definition: Path) -> list[str]:
    """Give what the validators of the Amazon States Language say. Raises `ToolsMissing`."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(yaml.safe_load(definition.read_text(encoding="utf-8")), file)
        file.flush()
        done = run_node("validate.js", file.name)
    if done.returncode != 0:
        return [f"The validators failed: {done.stderr.strip()[-500:]}"]
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return [f"{finding['tool']}: {finding['message']}" for finding in findings]


def run(command: list[str]) -> str:
    """Run a tool and give what it said, where it was not content."""
    # No region and no telemetry: nothing is asked of AWS.
    environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1", "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"


def tool(name: str) -> Path:
    """Give a program from PyPI, installed as pinned in `<name>.txt`. Raises `ToolsMissing`."""
    pins, folder = HERE / f"{name}.txt", ROOT / ".venv" / "check" / name
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != pins.read_text(encoding="utf-8"):
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(folder / "bin/python"), "-r", str(pins)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
            if done.returncode != 0:
                raise ToolsMissing(f"it could not be installed: {done.stderr.strip()[-300:]}")
        stamp.write_text(pins.read_text(encoding="utf-8"), encoding="utf-8")
    return folder / "bin" / name


if __name__ == "__main__":
    sys.exit(main())
