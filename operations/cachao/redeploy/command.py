"""The command `cachao redeploy`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer
from rich.console import RenderableType

from cachao.command_context import CommandContext
from cachao.problems import USAGE, Problem
from cachao.redeploy.change_set import Change, ChangeSet, parameters
from cachao.view.output import escape, pluralize, table

_WORDS: Final = {"Add": "made", "Modify": "changed", "Remove": "removed", "Dynamic": "perhaps replaced"}


def redeploy(
    ctx: typer.Context,
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="With another value of a parameter; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the end of it.", min=0)] = 900,
) -> None:
    """Deploy what is deployed again: what somebody changed or deleted by hand is as the template has it.

    Takes the stack's own template and parameters, needs no source code, and asks CloudFormation to compare them with
    what is really there (`sam deploy` does not: it does nothing where the template has not changed). Shows what would
    change, asks, and waits for its end. What a deployment of yours is to keep belongs into the template first.

    It does with your rights what a deployment does. Functions keep their code, and tables and queues what they hold,
    unless the list says that one is replaced.

    [bold]Examples[/bold]

        cachao redeploy --stack cachao --dry-run

        cachao redeploy --stack cachao

        cachao redeploy --stack cachao --set StripeAccountShared=true
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    changed = _settings(settings or [])
    if environment.is_local:
        raise Problem(
            "The local stack is deployed when it starts.",
            advice="Stop it, and start it again with `make run`: it keeps orders, executions and alerts.",
            exit_code=USAGE,
        )
    parameters(environment, changed)  # a name that does not exist is told before anything is made
    change_set = ChangeSet(environment)
    carried_out = False
    try:
        with output.errors.status("CloudFormation compares the stack with its template", spinner="dots"):
            changes = change_set.make(changed)
        shown = list(_shown(changes))
        if changes and not dry_run:
            if not yes:
                output.errors.print(*shown)
                shown = []
            output.confirm(f"Make {pluralize(len(changes), 'change')} to {environment.name}?", yes=yes)
            carried_out = True
            with output.errors.status("CloudFormation deploys", spinner="dots"):
                change_set.carry_out(wait)
    finally:
        if not carried_out:
            change_set.remove()
    done = "Done." if carried_out else "Nothing was changed."
    more = [f"{done} Then:", f"cachao doctor {environment.cachao_options}"] if carried_out else [done]
    output.answer(
        {"stack": environment.name, "dry_run": dry_run, "carried_out": carried_out, "changes": changes}, *shown, *more
    )


def _settings(said: Sequence[str]) -> dict[str, str]:
    changed = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise Problem(f"--set {one} is not NAME=VALUE.", exit_code=USAGE)
        changed[name] = value
    return changed


def _shown(changes: Sequence[Change]) -> Iterator[RenderableType]:
    if not changes:
        yield "All that CloudFormation compares is as the template has it."
        return
    rows = [
        [
            escape(change.part),
            escape(change.kind.removeprefix("AWS::")),
            _by_hand(change.was),
            _what(change),
            escape(", ".join(change.properties)),
        ]
        for change in changes
    ]
    yield table("", "part", "of the kind", "by hand", "would be", "in", rows=rows)


def _by_hand(was: str) -> str:
    return {"DELETED": "deleted", "MODIFIED": "changed", "IN_SYNC": "-"}.get(was, "not known")


def _what(change: Change) -> str:
    if change.is_replaced:
        return "[red]replaced: what it holds is lost[/red]"
    if change.was == "DELETED":
        return "made again"
    return _WORDS.get(change.action, escape(change.action))
