"""The command `cachao doctor`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cachao.command_context import CommandContext
from cachao.doctor import report, watching
from cachao.doctor.examination import causes_first, examine
from cachao.doctor.finding import Finding
from cachao.doctor.watching import Changes, Look
from cachao.problems import BROKEN, NOT_ALL_SEEN, USAGE, Problem


def doctor(
    ctx: typer.Context,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, and tell what changes.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.2)] = 60.0,
    seconds: Annotated[float | None, typer.Option("--for", help="With --watch: stop after so many seconds.")] = None,
) -> None:
    """Walk the whole chain from Stripe to the paid order, and say of each link whether it is fine, and what to do.

    Changes nothing. What is broken is told causes first. Ends with 1 where a link is broken, with 5 where none is but
    not all could be looked at. The names in brackets are those of docs/runbook.md.

    --watch goes on until Ctrl-C, and ends as the last look says; with --json each look is a line.

    [bold]Examples[/bold]

        cachao doctor

        cachao doctor --stack cachao --json

        cachao doctor --watch --every 30
    """
    context: CommandContext = ctx.obj
    if watch:
        last = _watched(context, every=every, seconds=seconds)
        broken, unsure = last.count("broken"), last.count("cannot tell")
    elif seconds is not None:
        raise Problem("--for goes with --watch.", exit_code=USAGE)
    else:
        broken, unsure = _looked_once(context)
    if broken or unsure:
        raise typer.Exit(BROKEN if broken else NOT_ALL_SEEN)


def _looked_once(context: CommandContext) -> tuple[int, int]:
    name = context.environment.name
    seen: list[Finding] = []
    with context.output.errors.status("looking", spinner="dots") as status:
        for finding in examine(context.environment):
            seen.append(finding)
            status.update(f"looking at: {finding.link}")
    look = Look(datetime.now(UTC), causes_first(seen))
    broken, unsure = look.count("broken"), look.count("cannot tell")
    context.output.answer(
        {"stack": name, "broken": broken, "cannot_tell": unsure, "findings": look.findings},
        *report.shown(name, look.findings),
    )
    return broken, unsure


def _watched(context: CommandContext, *, every: float, seconds: float | None) -> Look:
    last: Look | None = None
    changes = Changes()
    try:
        with context.output.errors.status("looking", spinner="dots") as status:
            for look in watching.looks(context, every=every, seconds=seconds):
                status.stop()  # it would take what is printed for its own
                watching.tell(context, look, changes.since_before(look), first=last is None)
                status.update(f"looked at {look.at:%H:%M:%S} UTC: {look.count('broken')} broken; Ctrl-C ends it")
                status.start()
                last = look
    except KeyboardInterrupt:
        context.output.note("No longer watched.")
    if last is None:
        raise Problem("Interrupted before the first look had ended.")
    return last
