"""Looks at all links again and again, and tells what has changed between two looks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any, Final, Literal

from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.doctor import report
from cachao.doctor.addressing import is_command
from cachao.doctor.examination import LINKS, causes_first, examine
from cachao.doctor.finding import Finding, unknown
from cachao.problems import explain
from cachao.view.output import escape, moment, pluralize

Change = Literal["broken", "mended", "cannot tell", "can tell again"]
_COLOURS: Final = {"broken": "red", "mended": "green", "cannot tell": "yellow", "can tell again": "green"}
# Of a sentence: how many, since when. These change at every look, and are no news.
_FIGURES: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class Look:
    """What was found at a moment, causes first."""

    at: datetime
    findings: list[Finding]

    def count(self, state: str) -> int:
        """How many findings are of this state."""
        return sum(finding.state == state for finding in self.findings)


def looks(context: CommandContext, *, every: float, seconds: float | None) -> Iterator[Look]:
    """Look, wait `every` seconds, and look again; for `seconds`, or without end."""
    deadline = None if seconds is None else monotonic() + seconds
    while True:
        yield Look(datetime.now(UTC), _findings(context.environment))
        if deadline is not None and monotonic() + every > deadline:
            return
        sleep(every)
        # Somebody may have deployed meanwhile.
        context.environment.forget()


def _findings(environment: Environment) -> list[Finding]:
    try:
        return causes_first(examine(environment))
    except Exception as error:
        # Where the stack itself cannot be looked at, no link can.
        problem = explain(error)
        if problem is None:
            raise
        return [unknown(link, problem.sentence, problem.advice) for link in LINKS]


class Changes:
    """Knows what was broken, or could not be looked at, at the look before."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._known: dict[tuple[str, ...], Finding] = {}

    def since_before(self, look: Look) -> list[tuple[Change, Finding]]:
        """Give what is broken now and was not, and the other way round."""
        now = {_key(finding): finding for finding in look.findings if finding.state in {"broken", "cannot tell"}}
        unseen = {finding.link for finding in now.values() if finding.state == "cannot tell"}
        # Nobody knows whether it is mended where its link cannot be looked at.
        kept = {
            key: finding
            for key, finding in self._known.items()
            if finding.state == "broken" and finding.link in unseen and key not in now
        }
        told: list[tuple[Change, Finding]] = [
            ("broken" if finding.state == "broken" else "cannot tell", finding)
            for key, finding in now.items()
            if key not in self._known
        ]
        told += [
            ("mended" if finding.state == "broken" else "can tell again", finding)
            for key, finding in self._known.items()
            if key not in now and key not in kept
        ]
        self._known = now | kept
        return told


def _key(finding: Finding) -> tuple[str, ...]:
    return finding.link, finding.state, finding.cause, _FIGURES.sub("", finding.says)


def tell(context: CommandContext, look: Look, changes: Sequence[tuple[Change, Finding]], *, first: bool) -> None:
    """Tell of a look: the first whole; then what changed, to a program also that nothing did."""
    name, output = context.environment.name, context.output
    if output.as_json:
        said: dict[str, Any] = {
            "at": look.at.isoformat(timespec="seconds"),
            "stack": name,
            "broken": look.count("broken"),
            "cannot_tell": look.count("cannot tell"),
        }
        if first:
            said["findings"] = look.findings
        else:
            said["changes"] = [{"change": change, "finding": finding} for change, finding in changes]
        output.line(said)
        return
    if first:
        output.answer(None, *report.shown(name, look.findings))
        output.answer(None, f"[dim]{moment(look.at)} UTC: from here on only what changes.[/dim]")
        return
    for change, finding in changes:
        output.answer(None, *_lines(look, change, finding))
    if changes:
        broken = look.count("broken")
        output.answer(None, f"[dim]{pluralize(broken, 'thing')} broken now.[/dim]")


def _lines(look: Look, change: Change, finding: Finding) -> Iterator[str]:
    cause = f" ({escape(finding.cause)})" if finding.cause else ""
    what = f"[{_COLOURS[change]}]{change}[/]: {escape(finding.link)}: {escape(finding.says)}{cause}"
    yield f"{moment(look.at)} UTC  {what}"
    if change in {"broken", "cannot tell"}:
        for line in filter(None, finding.todo.split("\n")):
            yield f"    {escape(line)}" if is_command(line) else f"  → {escape(line)}"
