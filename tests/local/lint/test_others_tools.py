"""The state machine by asl-validator and by AWS's own language service; the rest is `make check`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.reference.check import MACHINE, machine_findings
from tests.reference.tools import HERE, ToolsMissing


def findings_of(definition: Path) -> list[str]:
    try:
        return machine_findings(definition)
    except ToolsMissing as error:
        pytest.skip(f"no validators: {error}")


def test_the_definition_is_what_the_language_is() -> None:
    assert findings_of(MACHINE) == []


def test_a_broken_definition_is_found_by_both(tmp_path: Path) -> None:
    definition = yaml.safe_load(MACHINE.read_text(encoding="utf-8"))
    definition["States"]["LookUpOrder"] |= {"Next": "Nowhere", "Nxt": "WhatHappened"}
    broken = tmp_path / "broken.asl.yaml"
    broken.write_text(yaml.safe_dump(definition), encoding="utf-8")
    found = "\n".join(findings_of(broken))
    assert "asl-validator: SCHEMA_VALIDATION_FAILED: /States/LookUpOrder" in found
    assert "amazon-states-language-service: line " in found


def test_each_suppression_of_checkov_has_its_reason() -> None:
    lines = (HERE / "checkov.yaml").read_text(encoding="utf-8").splitlines()
    skipped = [line for line in lines if line.startswith("  - CKV")]
    assert skipped
    for number, line in enumerate(lines):
        if line.startswith("  - CKV"):
            before = next(other for other in reversed(lines[:number]) if not other.startswith("  - "))
            assert before.startswith("  # "), line
