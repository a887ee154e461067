"""`cachao refund`: gives a payment of an order back through Stripe, and records it."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from cachao.command_context import CommandContext
from cachao.problems import USAGE, Problem
from cachao.refund import choice
from cachao.view import orders as order_view
from cachao.view.output import escape
from ticketing import money

# https://docs.stripe.com/disputes/how-disputes-work: the bank takes a disputed amount at once; of an inquiry it takes
# nothing, and Stripe lets it be refunded (`is_charge_refundable` of https://docs.stripe.com/api/disputes/object).
_OF_A_DISPUTE: Final = (
    "Where the bank has taken the money, Stripe refuses a refund (charge_disputed); where it is an inquiry, the money"
    " is still there, and a refund of all of it settles the matter."
)


def refund(
    ctx: typer.Context,
    order: Annotated[int, typer.Argument(help="The order's id.", min=1)],
    payment: Annotated[
        str | None, typer.Option(help="Which of its payments (pi_…); without it the one that paid nothing.")
    ] = None,
    *,
    end_order: Annotated[
        bool, typer.Option("--end-order", help="Also the payment that pays the order: its tickets go back on sale.")
    ] = False,
    although_disputed: Annotated[
        bool, typer.Option("--although-disputed", help="Also while a dispute is open: for an inquiry.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Refund all that is left of a payment.

    For payments that could not become a ticket (PaidButSoldOut, DuplicatePayment, PaymentForClosedOrder) the order
    number suffices. Repeated, it refunds nothing more, says what went back, and ends with 0.

    While a dispute is open nothing is refunded: the bank has taken the money, and it would be lost twice.

    [bold]Examples[/bold]

        cachao refund 1234

        cachao refund 1234 --payment pi_3Q… --yes

        cachao refund 1234 --end-order
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    inspected = order_view.find(environment, str(order))
    if inspected is None:
        raise Problem(f"There is no order {order}. Nothing was refunded.")
    chosen = choice.choose(inspected, payment, end_order=end_order)
    if chosen is None:
        _tell_what_went_back(context, choice.went_back(inspected, payment))
        return
    disputed = _disputed(inspected, allowed=although_disputed)
    left = money.format_amount(chosen["amount_minor"] - chosen["refunded_minor"], chosen["currency"])
    output.confirm(
        f"Refund {left} of payment {chosen['payment_key']}, order {order} ({inspected['order']['status']}),"
        f" in {environment.name}?{choice.consequence(inspected, chosen)}{disputed}",
        yes=yes,
    )
    refunded = environment.invoke(
        "RefundPaymentFunction",
        {
            "execution_id": "cachao refund",
            "order_id": order,
            "payment_key": chosen["payment_key"],
            "accepted_too": end_order,
        },
    )
    output.answer(
        {**refunded, "already_refunded": []},
        f"{refunded['amount']} of payment {refunded['payment_key']} went back: refund {refunded['refund_id']}."
        " The buyer's bank shows it within days.",
    )


def _tell_what_went_back(context: CommandContext, payments: list[dict[str, Any]]) -> None:
    context.output.answer(
        # As the first time, for a program that says it again.
        {**payments[-1], "already_refunded": payments},
        *[
            f"Already refunded: {known['amount']} of {escape(known['payment_key'])} by {escape(known['by'])};"
            " nothing to do."
            for known in payments
        ],
    )


def _disputed(inspected: dict[str, Any], *, allowed: bool) -> str:
    """Say in the question that a dispute is open; without leave nothing is refunded then."""
    disputes = choice.open_disputes(inspected)
    if not disputes:
        return ""
    which = "" if len(inspected["payments"]) == 1 else " Which of the payments it is about, Stripe's dashboard says."
    said = f"A dispute of order {inspected['order']['id']} is open: {', '.join(disputes)}.{which}"
    if allowed:
        return f" {said} {_OF_A_DISPUTE}"
    raise Problem(
        f"{said} Nothing was refunded.",
        advice=f"Answer or accept it in Stripe's dashboard. {_OF_A_DISPUTE} For an inquiry, or a payment that the"
        " dispute is not about, say --although-disputed. See docs/runbook.md#disputeopened.",
        exit_code=USAGE,
    )
