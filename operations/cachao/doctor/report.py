"""How the doctor's findings are shown to a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cachao.doctor.addressing import is_command
from cachao.doctor.finding import Finding
from cachao.view.foreign_text import safe
from cachao.view.output import coloured, escape, pluralize

_MARKS: Final = {"fine": "✔", "broken": "✘", "cannot tell": "?", "only on AWS": "-"}
_COLOURS: Final = {"fine": "green", "broken": "red", "cannot tell": "yellow", "only on AWS": "dim"}


def shown(name: str, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """Give what is to be printed: the findings in their order, and what they come to."""
    yield Text.from_markup(f"[bold]{escape(name)}[/bold]")
    width = max(len(finding.link) for finding in findings)
    link = ""
    for finding in findings:
        yield from _parts(finding, "" if finding.link == link else finding.link, width)
        link = finding.link
    yield Text.from_markup(_conclusion(findings))


def _parts(finding: Finding, link: str, width: int) -> Iterator[RenderableType]:
    colour = _COLOURS[finding.state]
    mark, title = f"[{colour}]{_MARKS[finding.state]}[/]", f"[bold]{link}[/bold]"
    for commands, lines in groupby(_lines(finding), key=is_command):
        if commands:
            for line in lines:
                # Broken by the terminal alone, if at all: with line breaks of ours it would be pasted as two. In a
                # group, because rich joins a bare text with others, and breaks it then.
                yield Group(Text(f"    {safe(line)}", style="bold", no_wrap=True, overflow="ignore"))
        else:
            yield _row(mark, title, "\n".join(lines), width)
        mark = title = ""


def _row(mark: str, link: str, text: str, width: int) -> Table:
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=1)
    row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(mark, link, text)
    return row


def _lines(finding: Finding) -> Iterator[str]:
    said = escape(finding.says)
    if finding.state == "cannot tell":
        said = f"{coloured('cannot tell')}: {said}"
    if finding.cause:
        said = f"[red]{said}[/red] ({escape(finding.cause)})"
    yield said
    if finding.case:
        yield f"[dim]Runbook: “{finding.case}”.[/dim]"
    arrow = "→ "
    for line in filter(None, finding.todo.split("\n")):
        yield line if is_command(line) else f"{arrow}{escape(line)}"
        arrow = ""


def _conclusion(findings: Sequence[Finding]) -> str:
    broken = [finding for finding in findings if finding.state == "broken"]
    unsure = sum(finding.state == "cannot tell" for finding in findings)
    unseen = f"{pluralize(unsure, 'thing')} could not be looked at" if unsure else ""
    if broken:
        also = f" {unseen}." if unseen else ""
        return f"\n[red]{len(broken)} broken.[/red]{also}{_begin(broken)}"
    if unseen:
        return f"\n[yellow]Nothing is known to be broken, but {unseen}.[/yellow]"
    return "\n[green]Nothing is broken.[/green]"


def _begin(broken: Sequence[Finding]) -> str:
    if len(broken) == 1:
        return ""
    if broken[0].waits:
        return " None causes another: repair each."
    return " Begin with the first: it may cause the others."
