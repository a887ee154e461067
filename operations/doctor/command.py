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
from operations.output import coloured, plain
from operations.problems import BROKEN

_MARKS: Final = {"fine": "✔", "broken": "✘", "cannot tell": "?"}
_COLOURS: Final = {"fine": "green", "broken": "red", "cannot tell": "yellow"}


def doctor(context: typer.Context) -> None:
    """Walk the whole chain from Stripe to the paid order, and say of each link whether it is fine, and what to do.

    Changes nothing. Ends with 1 where a link is broken. The names in brackets are those of docs/runbook.md.

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
    broken = [finding for finding in findings if finding.state == "broken"]
    desk.output.answer(
        {"stack": name, "broken": len(broken), "findings": findings},
        Text.from_markup(f"[bold]{plain(name)}[/bold]"),
        _table(findings),
        Text.from_markup(_conclusion(findings, broken)),
    )
    if broken:
        raise typer.Exit(BROKEN)


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


def _conclusion(findings: list[Finding], broken: list[Finding]) -> str:
    if broken:
        return f"\n[red]{len(broken)} broken.[/red] Begin with the first: what comes after may only be its consequence."
    unsure = sum(finding.state == "cannot tell" for finding in findings)
    return "\n[green]Nothing is broken.[/green]" + (f" {unsure} could not be looked at." if unsure else "")
