"""Our own lint of the state machine: what cfn-lint and AWS do not check.

    python -m local.lint [template.yaml]

Each check has one rule of docs/ in its first line, and a broken copy in tests/local/lint/ that it must find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from local.lint import dataflow, deployment, entry_points, resilience, structure, versions
from local.lint.findings import Finding
from local.lint.subject import Subject, UnreadableTemplateError, load

__all__ = ["CHECKS", "Finding", "Subject", "UnreadableTemplateError", "lint", "load"]

CHECKS: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    structure.check_targets,
    structure.check_ways_out,
    structure.check_reachable,
    structure.check_ending,
    structure.check_comments,
    structure.check_names,
    structure.check_failures_are_alerted,
    structure.check_failed_step,
    resilience.check_task_timeouts,
    resilience.check_retries,
    resilience.check_retry_copies,
    resilience.check_catches,
    resilience.check_counting,
    resilience.check_error_names,
    resilience.check_advice,
    resilience.check_machine_timeout,
    dataflow.check_expressions,
    dataflow.check_variables,
    dataflow.check_states_fields,
    dataflow.check_unused_variables,
    deployment.check_substitutions,
    deployment.check_permissions,
    entry_points.check_entry_points,
    entry_points.check_event_types,
    entry_points.check_delivery,
    versions.check_pinned_functions,
    versions.check_alias,
)


def lint(subject: Subject) -> list[Finding]:
    """Give everything that is wrong, in the order of files, states and checks."""
    return sorted({finding for check in CHECKS for finding in check(subject)})
