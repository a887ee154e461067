"""The command `cachao doctor`."""

from __future__ import annotations

import typer

from cachao.command_context import CommandContext
from cachao.doctor import report
from cachao.doctor.examination import causes_first, examine
from cachao.doctor.finding import Finding
from cachao.problems import BROKEN, NOT_ALL_SEEN


def doctor(ctx: typer.Context) -> None:
    """Walk the whole chain from Stripe to the paid order, and say of each link whether it is fine, and what to do.

    Changes nothing. What is broken is told causes first. Ends with 1 where a link is broken, with 5 where none is but
    not all could be looked at. The names in brackets are those of docs/runbook.md.

    [bold]Examples[/bold]

        cachao doctor

        cachao doctor --stack cachao --json
    """
    context: CommandContext = ctx.obj
    name = context.environment.name
    seen: list[Finding] = []
    with context.output.errors.status("looking", spinner="dots") as status:
        for finding in examine(context.environment):
            seen.append(finding)
            status.update(f"looking at: {finding.link}")
    findings = causes_first(seen)
    broken = sum(finding.state == "broken" for finding in findings)
    unsure = sum(finding.state == "cannot tell" for finding in findings)
    context.output.answer(
        {"stack": name, "broken": broken, "cannot_tell": unsure, "findings": findings}, *report.shown(name, findings)
    )
    if broken or unsure:
        raise typer.Exit(BROKEN if broken else NOT_ALL_SEEN)
