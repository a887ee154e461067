"""The command `cachao doctor`."""

from __future__ import annotations

from typing import Final

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from operations.desk import Desk
from operations.doctor.examination import examine
from operations.doctor.finding import Finding
from operations.output import coloured, counted, plain
from operations.problems import BROKEN, NOT_ALL_SEEN

_MARKS: Final = {"fine": "✔", "broken": "✘", "cannot tell": "?"}
_COLOURS: Final = {"fine": "green", "broken": "red", "cannot tell": "yellow"}


def doctor(context: typer.Context) -> None:
    """Walk the whole chain from Stripe to the paid order, and say of each link whether it is fine, and what to do.

    Changes nothing. Ends with 1 where a link is broken, with 5 where none is but not all could be looked at. The
    names in brackets are those of docs/runbook.md.

    [bold]Examples[/bold]

        cachao doctor

        cachao doctor --stack cachao --json
    """
    desk: Desk = context.obj
    name = desk.environment.name
    findings: list[Finding] = []
    with desk.output.errors.status("looking", spinner="dots") as status:
        for finding in examine(desk.environment):
            findings.append(finding)
            status.update(f"looking at: {finding.link}")
    broken = sum(finding.state == "broken" for finding in findings)
    unsure = sum(finding.state == "cannot tell" and not finding.only_on_aws for finding in findings)
    desk.output.answer(
        {"stack": name, "broken": broken, "cannot_tell": unsure, "findings": findings},
        Text.from_markup(f"[bold]{plain(name)}[/bold]"),
        _table(findings),
        Text.from_markup(_conclusion(broken, unsure)),
    )
    if broken or unsure:
        raise typer.Exit(BROKEN if broken else NOT_ALL_SEEN)


def _table(findings: list[Finding]) -> RenderableType:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    shown.add_column()
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    link = ""
    for finding in findings:
        colour = _COLOURS[finding.state]
        shown.add_row(
            f"[{colour}]{_MARKS[finding.state]}[/]",
            "" if finding.link == link else f"[bold]{finding.link}[/bold]",
            _sentences(finding),
        )
        link = finding.link
    return shown


def _sentences(finding: Finding) -> str:
    said = plain(finding.says)
    if finding.state == "cannot tell":
        said = f"{coloured('cannot tell')}: {said}"
    if finding.cause:
        said = f"[red]{said}[/red] ({plain(finding.cause)})"
    if finding.case:
        said += f"\n[dim]This is the case “{finding.case}”.[/dim]"
    if finding.todo:
        said += f"\n→ {plain(finding.todo)}"
    return said


def _conclusion(broken: int, unsure: int) -> str:
    unseen = f"{counted(unsure, 'thing')} could not be looked at" if unsure else ""
    if broken:
        also = f" {unseen}." if unseen else ""
        return (
            f"\n[red]{broken} broken.[/red]{also} Begin with the first: what comes after may only be its consequence."
        )
    if unseen:
        return f"\n[yellow]Nothing is known to be broken, but {unseen}.[/yellow]"
    return "\n[green]Nothing is broken.[/green]"
