"""The command: writes the picture of the state machine for docs/."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from cachao.picture import draw

_PROJECT = Path(__file__).resolve().parents[3]
DEFINITION = _PROJECT / "statemachine" / "ticket_payment.asl.yaml"
PICTURE = _PROJECT / "docs" / "ticket_payment.svg"


def main() -> int:
    """Write docs/ticket_payment.svg; returns the exit code."""
    PICTURE.write_text(draw(yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
