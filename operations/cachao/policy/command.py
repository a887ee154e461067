"""The command `cachao policy`."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import typer

from cachao.command_context import CommandContext
from cachao.policy import places
from cachao.policy.document import document
from cachao.policy.needs import ALWAYS, NEEDS, Need, needs_of
from cachao.problems import USAGE, Problem

# White space does not count: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_LONGEST_MANAGED: Final = 6144


def policy(
    ctx: typer.Context,
    commands: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND…", help="Such as doctor, or 'refund --seats'.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All commands.")] = False,
) -> None:
    """Print the IAM policy that commands need, as JSON to be pasted; for whoever gives others their permissions.

    With --stack for that stack alone; without it for a stack yet to come: replace STACK, REGION, ACCOUNT and the
    secret's name. Asks nothing of AWS but what the stack's parts are called.

    Several commands share a function: whoever may move orders may correct them in other ways, too. Where a secret is
    encrypted with a key of your own, kms:Decrypt on that is needed besides.

    [bold]Examples[/bold]

        cachao policy doctor executions show replay --stack cachao > on-call.json

        cachao policy orders move change take-back 'refund --seats' --stack cachao > ticket-desk.json
    """
    context: CommandContext = ctx.obj
    if every is bool(commands):
        raise Problem("Say which commands, or --all.", advice=f"There are: {', '.join(NEEDS)}.", exit_code=USAGE)
    stack = places.deployed(context.environment) if context.names_a_stack else places.imagined()
    made = document(_wanted(list(NEEDS) if every else commands or []), stack)
    # JSON in any case: it is what one pastes.
    context.output.document(made)
    size = len(msgspec.json.encode(made))
    if size > _LONGEST_MANAGED:
        context.output.note(
            f"It has {size} characters, and a managed policy at most {_LONGEST_MANAGED}: make two of it, each of some"
            " of the commands."
        )


def _wanted(commands: list[str]) -> list[Need]:
    wanted = list(ALWAYS)
    for said in commands:
        needs = needs_of(said.removeprefix("cachao ").strip())
        if needs is None:
            raise Problem(f"There is no command {said!r}.", advice=f"There are: {', '.join(NEEDS)}.", exit_code=USAGE)
        wanted += needs
    return wanted
