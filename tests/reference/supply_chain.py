"""`make sbom` and `make audit`: what ships, as a CycloneDX list; what is known against it, and who keeps it up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from local.build import TEMPLATE, runtime_version
from tests.reference.check import ROOT, tool
from tests.reference.tools import HERE, ToolsMissing

SHIPPED: Final = ROOT / "functions" / "requirements.txt"
# A package whose newest release is older is not kept up; what ends sooner than a year from now is to be replaced now.
NEWEST: Final = timedelta(days=730)
LAST: Final = timedelta(days=365)
# Those that are let be, with the reason.
ACCEPTED: Final = {
    "six": "python-dateutil needs it, which botocore needs: it is AWS's to replace. Finished rather than given up.",
}
SBOM: Final = ROOT / ".local" / "sbom.cdx.json"


def main(arguments: list[str]) -> int:
    """Do one of both; returns the tool's exit code, 3 where it could not be installed."""
    try:
        return {"sbom": sbom, "audit": audit}[arguments[0]]()
    except ToolsMissing as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 3


def sbom() -> int:
    """List what ships in `.local/sbom.cdx.json`, with versions and hashes."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [str(tool("cyclonedx-py")), "requirements", "--output-reproducible", "--output-file", str(SBOM)]
    code = subprocess.run([*command, str(SHIPPED)], check=False).returncode
    if code == 0:
        print(SBOM.relative_to(ROOT))
    return code


def audit() -> int:
    """Look what ships up among the known holes, and when it was last released (both at PyPI); needs a network."""
    command = [str(tool("pip-audit")), "--require-hashes", "--disable-pip", "--requirement", str(SHIPPED)]
    holes = subprocess.run(command, check=False).returncode
    pins = shipped()
    program = [str(tool("pypi-simple").with_name("python")), str(HERE / "releases.py"), *pins]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolsMissing(f"PyPI could not be asked: {done.stderr.strip()[-300:]}")
    projects: dict[str, dict[str, Any]] = json.loads(done.stdout)
    today = datetime.now(UTC).date()
    Console(width=100).print(table_of(pins, projects))
    findings = [*not_kept_up(pins, projects, today), *runtime_that_ends(runtime_version(TEMPLATE), today)]
    print(*(f"Let be: {name}. {reason}" for name, reason in ACCEPTED.items() if name in pins), sep="\n")
    print(*findings or ["All are kept up, and so is the functions' Python."], sep="\n")
    return holes or int(bool(findings))


def shipped() -> dict[str, str]:
    """Give the versions that ship, by name."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", SHIPPED.read_text(encoding="utf-8"), re.MULTILINE))


def table_of(pins: Mapping[str, str], projects: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out what ships, the one whose newest release is oldest first."""
    table = Table("package", "ships", "of", "newest", "of", "project", expand=False)
    for name in sorted(pins, key=lambda name: newest(projects[name])[1]):
        version, day = newest(projects[name])
        table.add_row(
            name, pins[name], projects[name]["released"].get(pins[name], "?"), version, day, projects[name]["status"]
        )
    return table


def newest(project: Mapping[str, Any]) -> tuple[str, str]:
    """Give the release that was made last, and its day."""
    released: dict[str, str] = project["released"]
    return max(released.items(), key=lambda release: release[1])


def not_kept_up(pins: Mapping[str, str], projects: Mapping[str, Mapping[str, Any]], today: date) -> Iterator[str]:
    """Say which packages nobody releases any more, are given up, or were taken back."""
    for name, version in pins.items():
        project = projects[name]
        _, day = newest(project)
        if date.fromisoformat(day) < today - NEWEST and name not in ACCEPTED:
            yield f"{name}: its newest release is of {day}, more than two years ago. Replace it."
        if project["status"] != "active":
            yield f"{name}: its project is {project['status']}. Replace it."
        if version in project["yanked"]:
            yield f"{name}: {version} was taken back (yanked). Run `make lock`."


def runtime_that_ends(version: str, today: date) -> Iterator[str]:
    """Say whether AWS ends the functions' Python within a year, by the list that cfn-lint brings."""
    text = resources.files("cfnlint.data.AdditionalSpecs").joinpath("LmbdRuntimeLifecycle.json").read_text("utf-8")
    ends = json.loads(text)[f"python{version}"]
    if date.fromisoformat(ends["deprecated"]) < today + LAST:
        yield f"python{version}: AWS supports it until {ends['deprecated']} only. Go on to {ends['successor']}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
