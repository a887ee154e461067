"""Draws the path that an execution took through the state machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.aws.timeline import Step, Timeline
from cachao.picture import Overlay, StateResult, draw, draw_page
from cachao.picture.graph import Graph, read_graph
from cachao.problems import USAGE, Problem


def check(file: Path) -> None:
    """See whether a picture can be put there, before anything else is done for it.

    Raises:
        Problem: the file has another ending, or its folder is not there.
    """
    if file.suffix not in {".svg", ".html"}:
        raise Problem(f"{file} is neither an .svg nor an .html file.", exit_code=USAGE)
    if not file.parent.is_dir():
        raise Problem(f"{file} cannot be written: there is no folder {file.parent}.", exit_code=USAGE)


def write_picture(environment: Environment, execution: Execution, timeline: Timeline, file: Path) -> None:
    """Draw the state machine with the execution's path into a file that `check` has seen.

    Drawn is the definition that the execution ran, also when another one has been deployed since.

    Raises:
        Problem: the file cannot be written.
    """
    definition = definition_of(environment, execution.arn)
    overlay = overlay_of(definition, timeline, started=execution.started)
    if file.suffix == ".svg":
        text = draw(definition, overlay)
    else:
        text = draw_page(definition, overlay, title=execution.name, sentence=_sentence(execution, timeline))
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problem(f"{file} cannot be written: {error.strerror}.") from error


def definition_of(environment: Environment, arn: str) -> dict[str, Any]:
    """Give the state machine's definition that an execution runs, or ran."""
    described = environment.client("stepfunctions").describe_state_machine_for_execution(executionArn=arn)
    return dict(json.loads(described["definition"]))


def overlay_of(definition: Mapping[str, Any], timeline: Timeline, *, started: datetime) -> Overlay:
    """Lay the steps of an execution that began at `started` over its definition."""
    return Overlay(
        {step.name: _result(step, started) for step in timeline.steps},
        frozenset(_transitions(read_graph(definition), timeline.steps)),
    )


def _result(step: Step, started: datetime) -> StateResult:
    errors = [attempt.error for attempt in step.attempts if attempt.error is not None]
    return StateResult(
        step.result,
        attempts=max(1, len(step.attempts)),
        seconds=None if step.took is None else step.took.total_seconds(),
        error=errors[-1] if errors else None,
        started=max(0.0, (step.entered - started).total_seconds()),
    )


def _transitions(graph: Graph, steps: list[Step]) -> list[tuple[str, str]]:
    """Each step came from the last one before it that leads to it; branches run beside each other."""
    ways = _ways(graph)
    found = []
    for step in steps:
        before = [
            other
            for other in steps
            if (other.name, step.name) in ways
            and other.exit_position is not None
            and other.exit_position < step.position
        ]
        if before:
            found.append((max(before, key=lambda other: other.exit_position or 0).name, step.name))
    return found


def _ways(graph: Graph) -> set[tuple[str, str]]:
    inner = (branch for node in graph.nodes.values() for branch in node.branches)
    return {(edge.source, edge.target) for edge in graph.edges}.union(*(_ways(branch) for branch in inner))


def _sentence(execution: Execution, timeline: Timeline) -> str:
    failed = " and ".join(step.name for step in timeline.failed)
    error = f" with {execution.error}" if execution.error else ""
    again = "".join(f" {step.name} is trying again." for step in timeline.trying_again)
    return f"{execution.status}{error}{f' in {failed}' if failed else ''}.{again} {execution.cause or ''}".strip()
