"""`cachao`: the operators' context. One command for looking at payments, repairing them, and finding what is broken.

Exit codes: 0 fine, 1 something is broken or failed, 2 the command was used wrongly, 3 AWS or the stack cannot be
reached, or asks to try again later, 4 what was started still ran when the waiting was over, 5 the doctor found
nothing broken, but could not look at everything, 130 Ctrl-C.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from cachao.aws.environment import Choice
from cachao.books.command import books
from cachao.buyer.command import buyer
from cachao.command_context import CommandContext
from cachao.connect.command import connect
from cachao.corrections.change import change
from cachao.corrections.details import correct
from cachao.corrections.limit import limit
from cachao.corrections.mark_paid import mark_paid
from cachao.corrections.move import move
from cachao.corrections.restore import restore
from cachao.corrections.sale import sale
from cachao.corrections.take_back import take_back
from cachao.counts import counts
from cachao.dispute.command import dispute
from cachao.disputes import disputes
from cachao.doctor.command import doctor
from cachao.event import event
from cachao.executions import executions
from cachao.migrate import migrate
from cachao.orders import orders
from cachao.page.command import page
from cachao.policy.command import policy
from cachao.prepare_database import prepare_database
from cachao.problems import INTERRUPTED, Problem, explain
from cachao.reconcile import reconcile
from cachao.redeploy.command import redeploy
from cachao.refund.command import refund
from cachao.replay.command import replay
from cachao.sample_shop import sample_shop
from cachao.show import show
from cachao.stripe import stripe
from cachao.stripe_key import stripe_key
from cachao.view.output import Output
from cachao.watch import watch

_FLAGS: Final = frozenset({"--local", "--json", "--no-color"})
_INTERRUPTED: Final = Problem(
    "Interrupted. What AWS was doing for it goes on.",
    advice="Say the same command again: what is done already is not done twice.",
    exit_code=INTERRUPTED,
)
_WITH_VALUE: Final = frozenset({"--stack", "--region", "--profile"})


class _Cachao(TyperGroup):
    """Takes the options that all commands share before or after the command, and turns errors into sentences."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- Typer's own context
        return super().parse_args(ctx, _shared_first(args))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- Typer's own context, any command's result
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            problem = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else explain(error)
            if problem is None:
                raise
            context = ctx.obj
            (context.output if isinstance(context, CommandContext) else Output()).problem(problem)
            raise typer.Exit(problem.exit_code) from error
        finally:
            if isinstance(ctx.obj, CommandContext):
                ctx.obj.output.no_longer_waiting()


def _shared_first(args: list[str]) -> list[str]:
    """Move the shared options to the front, wherever they were written."""
    shared: list[str] = []
    rest: list[str] = []
    remaining = list(args)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            return [*shared, *rest, argument, *remaining]
        if argument in _FLAGS or argument.partition("=")[0] in _WITH_VALUE:
            shared.append(argument)
            if argument in _WITH_VALUE and remaining:
                shared.append(remaining.pop(0))
        else:
            rest.append(argument)
    return [*shared, *rest]


app = typer.Typer(
    name="cachao",
    cls=_Cachao,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The options above may stand before or after the command. Exit codes: 0 fine, 1 something is broken or"
    " failed, 2 wrong usage, 3 cannot reach, or try again later, 4 still running after --wait, 5 (doctor) not all could"
    " be looked at, 130 interrupted. docs/runbook.md says what to do about each alert.",
)


@app.callback()
def _choose(
    ctx: typer.Context,
    *,
    local: Annotated[bool, typer.Option("--local", help="The local stack (`make run`).")] = False,
    stack: Annotated[
        str | None, typer.Option(envvar="CACHAO_STACK", help="The CloudFormation stack's name, on AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region; else as AWS's own tools find it.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile; else as AWS's own tools find it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, also on a terminal.")] = False,
) -> None:
    """Look after ticket payments: find what is broken, see what happened, send again what failed.

    Without --stack the local stack is meant where one runs in this folder.

    [bold]Examples[/bold]

        cachao doctor --stack cachao

        cachao show 1234

        cachao replay --failed --since 2d --error DatabaseUnavailable
    """
    ctx.obj = CommandContext(
        Choice(local=local, stack=None if local else stack, region=region, profile=profile),
        Output(as_json=as_json, no_color=no_color),
    )


for _command in (
    doctor,
    connect,
    executions,
    orders,
    disputes,
    dispute,
    books,
    show,
    stripe,
    watch,
    page,
    replay,
    event,
    refund,
    move,
    change,
    take_back,
    mark_paid,
    correct,
    limit,
    sale,
    reconcile,
    counts,
    restore,
    redeploy,
    stripe_key,
    prepare_database,
    migrate,
    sample_shop,
    policy,
):
    app.command()(_command)
app.add_typer(buyer, name="buyer")


def main() -> None:
    """Run the command line."""
    app()
