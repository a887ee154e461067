"""`cachao take-back`: gives an order's seats and code use back without moving money."""

from __future__ import annotations

from typing import Annotated

import typer

from cachao.corrections import frame
from cachao.corrections.frame import DryRun, Order, Reason, Yes
from cachao.problems import USAGE, Problem


def take_back(
    ctx: typer.Context,
    order: Order,
    *,
    seats: Annotated[int | None, typer.Option(help="Only so many of its seats.", min=1)] = None,
    of: Annotated[int | None, typer.Option(help="The seats it has now: makes --seats safe to repeat.", min=1)] = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Take an order back, free, paid or unpaid, without money: its seats and its code's use are free again.

    The order ends as cancelled; an open Checkout Session of it is ended at Stripe first. What was paid stays with the
    shop: cachao refund gives money back, and seats with it.

    With --seats it keeps the others. The same command within an hour is taken for a repeat, and does nothing more; --of
    says which is meant.

    [bold]Examples[/bold]

        cachao take-back 1234 --reason "free ticket, cannot come"

        cachao take-back 1234 --seats 1 --of 4
    """
    if of is not None and seats is None:
        raise Problem("--of goes with --seats.", exit_code=USAGE)
    wanted = {"kind": "take_back", "seats": seats, "of": of}
    frame.correct(ctx.obj, order, wanted, doing="Take back", reason=reason, dry_run=dry_run, yes=yes)
