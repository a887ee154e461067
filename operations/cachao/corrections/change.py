"""`cachao change`: gives an order another number of seats, another discount code, or none."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cachao.corrections import frame
from cachao.corrections.frame import DryRun, Order, Reason, Yes
from cachao.problems import USAGE, Problem


def change(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    order: Order,
    *,
    quantity: Annotated[int | None, typer.Option(help="So many seats in all.", min=1)] = None,
    code: Annotated[str | None, typer.Option(help="This discount code of its event, as buyers type it.")] = None,
    code_id: Annotated[int | None, typer.Option(help="That code by its id, also one that is over.", min=1)] = None,
    drop_code: Annotated[bool, typer.Option("--drop-code", help="No code: its use is free again.")] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Change how many seats an order has, or its discount code.

    More seats, or a use of another code, are taken first; where none is free nothing changes. What was paid stays: a
    difference in price is shown, and neither charged nor refunded by this. Repeated, it does nothing more.

    [bold]Examples[/bold]

        cachao change 1234 --quantity 3

        cachao change 1234 --code SALSA10

        cachao change 1234 --drop-code
    """
    if [code is not None, code_id is not None, drop_code].count(True) > 1:
        raise Problem("Say one of --code, --code-id and --drop-code.", exit_code=USAGE)
    if quantity is None and code is None and code_id is None and not drop_code:
        raise Problem("Say what to change: --quantity, --code, --code-id or --drop-code.", exit_code=USAGE)
    if code is not None and not code.strip():
        raise Problem("That is no code.", advice="--drop-code takes the code off.", exit_code=USAGE)
    wanted: dict[str, Any] = {"kind": "change", "drop_code": drop_code}
    wanted |= {"quantity": quantity, "code": code, "code_id": code_id}
    frame.correct(ctx.obj, order, wanted, doing="Change", reason=reason, dry_run=dry_run, yes=yes)
