"""`cachao correct`: corrects an order's session, amount or address, or drops a hold that it has too much."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from cachao.corrections import frame
from cachao.corrections.frame import DryRun, Order, Reason, Yes
from cachao.problems import USAGE, Problem


def correct(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    order: Order,
    *,
    session: Annotated[str | None, typer.Option(help="Its Checkout Session (cs_…), which must name it.")] = None,
    amount: Annotated[str | None, typer.Option(help="What it costs in all, e.g. 42.00.")] = None,
    currency: Annotated[str | None, typer.Option(help="The currency of --amount; else the order's.")] = None,
    email: Annotated[str | None, typer.Option(help="The buyer's e-mail address.")] = None,
    drop_hold: Annotated[
        bool,
        typer.Option("--drop-hold", help="Give back what it holds and does not need: it is counted, or has ended."),
    ] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Correct what stands on an order. Session and amount only before it is paid.

    For the alerts OrderMismatch (--session) and AmountMismatch (--amount): then replay the execution.

    [bold]Examples[/bold]

        cachao correct 1234 --amount 42.00

        cachao correct 1234 --session cs_live_…

        cachao correct 1234 --email jenny@example.com
    """
    if session is None and amount is None and email is None and not drop_hold:
        raise Problem("Say what to correct: --session, --amount, --email or --drop-hold.", exit_code=USAGE)
    if currency is not None and amount is None:
        raise Problem("--currency goes with --amount.", exit_code=USAGE)
    if session is not None and not re.fullmatch(r"cs_[A-Za-z0-9_]{1,250}", session, re.ASCII):
        raise Problem(f"{session!r} is no Checkout Session (cs_…).", exit_code=USAGE)
    wanted: dict[str, Any] = {"kind": "correct", "session": session, "amount": amount, "currency": currency}
    wanted |= {"email": email, "drop_hold": drop_hold}
    frame.correct(ctx.obj, order, wanted, doing="Correct", reason=reason, dry_run=dry_run, yes=yes)
