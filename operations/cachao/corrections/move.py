"""`cachao move`: gives an order seats of another ticket, also of another date."""

from __future__ import annotations

from typing import Annotated

import typer

from cachao.corrections import frame
from cachao.corrections.frame import DryRun, Order, Reason, Yes


def move(
    ctx: typer.Context,
    order: Order,
    ticket: Annotated[int, typer.Option(help="The ticket to move it to, by its id.", min=1)],
    *,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Move an order to another ticket, also of another event: another date.

    Its seats there are taken first; where too few are free nothing changes. What was paid stays: a difference in price
    is shown, and neither charged nor refunded by this. Repeated, it does nothing more.

    [bold]Examples[/bold]

        cachao move 1234 --ticket 13 --dry-run

        cachao move 1234 --ticket 13 --reason "ill on Friday"
    """
    frame.correct(
        ctx.obj, order, {"kind": "move", "ticket_id": ticket}, doing="Move", reason=reason, dry_run=dry_run, yes=yes
    )
