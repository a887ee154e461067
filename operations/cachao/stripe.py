"""`cachao stripe`: what Stripe itself has of an order, a payment, or any of its ids."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer
from rich.console import RenderableType

from cachao.command_context import CommandContext
from cachao.problems import USAGE, Problem
from cachao.view.output import escape, moment, table
from ticketing import money
from ticketing.operators.at_stripe import AtStripe, ObjectAtStripe

_WANTED: Final = re.compile(r"(?:pi|cs|ch|py|re|pyr|du|dp|evt|txn)_[A-Za-z0-9_]{1,250}|[1-9][0-9]{0,18}", re.ASCII)
_CALLED: Final = {
    "payment_intent": "Payment",
    "checkout.session": "Checkout Session",
    "refund": "Refund",
    "dispute": "Dispute",
    "charge": "Charge",
    "event": "Event",
    "balance_transaction": "Line of the balance",
}


def stripe(
    ctx: typer.Context,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ORDER|pi_…|cs_…|ch_…|re_…|du_…|evt_…|txn_…", help="An order's number, or an id of Stripe's."
        ),
    ],
) -> None:
    """Show what Stripe has: a payment with its sessions, refunds and disputes, and why one of them failed.

    It also says what is written on them (metadata), and whether they bear the mark of the order that they name: what
    bears another is another shop's. `cachao show` says what the shop has.

    [bold]Examples[/bold]

        cachao stripe 1234

        cachao stripe re_3Q…
    """
    context: CommandContext = ctx.obj
    if not _WANTED.fullmatch(wanted):
        raise Problem(f"{wanted!r} is no order, and no id that can be looked up at Stripe.", exit_code=USAGE)
    answer = context.environment.invoke("InspectStripeFunction", {"execution_id": "cachao stripe", "wanted": wanted})
    found = msgspec.convert(answer, AtStripe)
    if found.is_gone:
        raise Problem(f"There is no order {wanted}.")
    if not found.objects:
        what = f"the session or payment of order {wanted}" if found.order_id else wanted
        raise Problem(
            f"Stripe has not {what}, in the account and mode of this deployment's key.",
            advice="Is it of test mode, or of another account? cachao doctor checks the key.",
        )
    context.output.answer(answer, *[_shown(one) for one in found.objects])


def _shown(one: ObjectAtStripe) -> RenderableType:
    rows = [_fact(one, name, value) for name, value in one.facts.items() if value is not None and value != ""]
    rows += [[f"metadata {escape(name)}", escape(text)] for name, text in sorted(one.metadata.items())]
    if one.metadata:
        rows.append(["order's mark", one.has_mark if one.has_mark != "another" else "[red]another[/red]"])
    return table(f"{_CALLED.get(one.kind, one.kind)} {one.id}", "", "", rows=rows)


def _fact(one: ObjectAtStripe, name: str, value: object) -> list[str]:
    words = name.removesuffix("_minor").removesuffix("_at").replace("_", " ")
    if name.endswith("_minor") and isinstance(value, int):
        return [words, money.format_amount(value, one.currency or "eur")]
    if name.endswith("_at") and isinstance(value, int):
        return [f"{words} (UTC)", moment(datetime.fromtimestamp(value, UTC))]
    return [words, escape(value)]
