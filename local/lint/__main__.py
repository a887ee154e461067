"""The command: prints what is wrong, one finding a line; exit code 1 where something is, 2 where it cannot be read."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from local.lint import CHECKS, UnreadableTemplateError, lint, load
from local.lint.subject import Subject
from local.lint.worst_path import worst_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Lint the state machine of a template; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.lint", description="Lint the state machine.")
    parser.add_argument("template", nargs="?", type=Path, default=Path("template.yaml"), help="SAM template")
    parser.add_argument("--json", action="store_true", help="print the findings as a JSON array")
    parser.add_argument("--verbose", action="store_true", help="print the worst path and the checks, too")
    options = parser.parse_args(arguments)
    try:
        subject = load(options.template)
    except (OSError, yaml.YAMLError, UnreadableTemplateError) as error:
        print(f"{options.template} cannot be linted: {error}", file=sys.stderr)
        return 2
    findings = lint(subject)
    if options.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
        if options.verbose:
            _print_details(subject)
        print(f"{len(findings)} found by {len(CHECKS)} checks of {subject.definition_file}")
    return 1 if findings else 0


def _print_details(subject: Subject) -> None:
    worst = worst_path(subject.definition)
    if worst is not None:
        limit = subject.definition.get("TimeoutSeconds")
        print(f"Worst path: {worst.seconds:.0f} s of {limit} s: {' → '.join(worst.states)}")
    for check in CHECKS:
        print(f"  {(check.__doc__ or '').splitlines()[0]}")


if __name__ == "__main__":
    sys.exit(main())
