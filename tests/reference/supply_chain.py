"""`make sbom` and `make audit`: what ships, as a CycloneDX list, and what is known against it."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from tests.reference.check import ROOT, tool
from tests.reference.tools import ToolsMissing

SHIPPED: Final = ROOT / "functions" / "requirements.txt"
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
    """Look what ships up in the database of known holes (pypi.org); needs a network."""
    command = [str(tool("pip-audit")), "--require-hashes", "--disable-pip", "--requirement", str(SHIPPED)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
