"""`python -m local.cost` writes docs/cost.md and prints it; a test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from samtranslator.yaml_helper import yaml_parse

from local.cost.page import page
from local.lint.subject import load

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "cost.md"


def current() -> str:
    """Give the page of the files as they are."""
    subject = load(ROOT / "template.yaml")
    network = yaml_parse((ROOT / "deploy" / "network-and-database.yaml").read_text(encoding="utf-8"))
    return page(subject.template, network, subject.definition)


if __name__ == "__main__":
    PAGE.write_text(current(), encoding="utf-8")
    print(current())
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
