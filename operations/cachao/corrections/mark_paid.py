"""`cachao mark-paid`: marks an order paid by hand, with its payment."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from cachao.corrections import frame
from cachao.corrections.frame import DryRun, Order, Reason, Yes
from cachao.problems import USAGE, Problem


def mark_paid(
    ctx: typer.Context,
    order: Order,
    *,
    payment: Annotated[str | None, typer.Option(help="The payment at Stripe that pays it (pi_…).")] = None,
    without_stripe: Annotated[
        bool, typer.Option("--without-stripe", help="Paid in another way, or a gift: Stripe has no payment of it.")
    ] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Mark an order paid: its seats and its code's use are counted, and that payment stands in the books.

    Stripe is asked for the payment: it must have taken what the order costs, be no other order's, and not be refunded
    or disputed. Where its event can do it, let the event do it: cachao reconcile, or cachao replay.

    [bold]Examples[/bold]

        cachao mark-paid 1234 --payment pi_3Q…

        cachao mark-paid 1234 --without-stripe --reason "paid in cash at the desk"
    """
    if (payment is None) is not without_stripe:
        raise Problem("Say --payment pi_…, or --without-stripe.", exit_code=USAGE)
    if payment is not None and not re.fullmatch(r"pi_[A-Za-z0-9_]{1,200}", payment, re.ASCII):
        raise Problem(f"{payment!r} is no payment of Stripe's (pi_…).", exit_code=USAGE)
    wanted = {"kind": "mark_paid", "payment": payment}
    frame.correct(ctx.obj, order, wanted, doing="Mark as paid", reason=reason, dry_run=dry_run, yes=yes)
