"""`cachao sample-shop`: puts an event with a ticket and a discount code into a new shop, to try it."""

from __future__ import annotations

from typing import Final

import msgspec
import typer

from cachao.command_context import CommandContext
from cachao.corrections.frame import DryRun, Yes
from cachao.problems import Problem
from ticketing.operators.sample_shop import CODE, NAME, PRICE, SampleShop

_FUNCTION: Final = "SampleShopFunction"


def sample_shop(ctx: typer.Context, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Put an event, a ticket and a discount code into a new shop, so that there is something to buy. Test mode only.

    Safe to repeat: a sample that is not over yet is found again.

    [bold]Examples[/bold]

        cachao sample-shop --stack cachao
    """
    context: CommandContext = ctx.obj
    environment = context.environment
    if environment.parameters.get("StripeLivemode") != "false":
        raise Problem(
            f"{environment.name} sells for real money (StripeLivemode).",
            advice="A sample event would be on sale there. Use a stack in Stripe's test mode.",
        )
    function = environment.resource(_FUNCTION)
    what = f"the event {NAME!r}, a ticket of {PRICE} with 100 seats, and the code {CODE} (10 %, 5 uses)"
    if dry_run:
        context.output.answer({"dry_run": True, "function": function}, f"{function} would make {what}.")
        return
    context.output.confirm(f"Put {what} into {environment.name}?", yes=yes)
    shop = msgspec.convert(environment.invoke(_FUNCTION, {"execution_id": "cachao sample-shop"}), SampleShop)
    checkout = f"{environment.api_url}/events/{shop.event_id}/tickets/{shop.ticket_id}/checkout"
    context.output.answer(
        {**msgspec.to_builtins(shop), "checkout": checkout},
        f"{'Made' if shop.is_new else 'There already:'} event {shop.event_id} ({NAME}), ticket {shop.ticket_id},"
        f" code {CODE}.",
        "Buy one, with a test card at the address that it answers (checkout_url):",
        f"  curl -X POST {checkout} -H 'Content-Type: application/json' -d '{{\"email\": \"you@example.com\"}}'",
    )
