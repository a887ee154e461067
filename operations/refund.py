"""`cachao refund`: gives a payment of an order back through Stripe, and records it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from operations import order_view
from operations.desk import Desk
from operations.output import plain
from operations.problems import USAGE, Problem
from ticketing import money


def refund(
    context: typer.Context,
    order: Annotated[int, typer.Argument(help="The order's id.", min=1)],
    payment: Annotated[
        str | None, typer.Option(help="Which of its payments (pi_…); without it the one that paid nothing.")
    ] = None,
    *,
    end_order: Annotated[
        bool, typer.Option("--end-order", help="Also the payment that pays the order: its tickets go back on sale.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Refund all that is left of a payment.

    For payments that could not become a ticket (PaidButSoldOut, DuplicatePayment, PaymentForClosedOrder) the order
    number suffices. Repeated, it refunds nothing more.

    [bold]Examples[/bold]

        cachao refund 1234

        cachao refund 1234 --payment pi_3Q… --yes

        cachao refund 1234 --end-order
    """
    desk: Desk = context.obj
    environment, output = desk.environment, desk.output
    inspected = order_view.find(environment, str(order))
    if inspected is None:
        raise Problem(f"There is no order {order}. Nothing was refunded.")
    chosen = _choose(inspected, payment, end_order=end_order)
    left = chosen["amount_minor"] - chosen["refunded_minor"]
    amount = money.spoken(left, chosen["currency"])
    consequence = (
        f" This payment pays the order: it ends, and its {inspected['order']['quantity']} seats go back on sale."
        if chosen["role"] == "accepted"
        else ""
    )
    output.confirm(
        f"Refund {amount} of payment {chosen['payment_key']}, order {order} ({inspected['order']['status']}),"
        f" in {environment.name}?{consequence}",
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
        refunded,
        f"{refunded['amount']} of payment {refunded['payment_key']} went back: refund {refunded['refund_id']}."
        " The buyer's bank shows it within days.",
    )


def _choose(inspected: dict[str, Any], payment: str | None, *, end_order: bool) -> dict[str, Any]:
    order = inspected["order"]["id"]
    standing = [
        known
        for known in inspected["payments"]
        if known["amount_minor"] > known["refunded_minor"] and payment in {None, known["payment_key"]}
    ]
    if payment is None and not end_order:
        standing = [known for known in standing if known["role"] != "accepted"]
    if not standing:
        raise Problem(
            f"Order {order} has no payment {payment} that could go back."
            if payment
            else f"Order {order} has no payment that is to go back.",
            advice=f"cachao show {order} lists its payments. To refund what pays the order, and end it: --end-order.",
        )
    if len(standing) > 1:
        names = ", ".join(plain(known["payment_key"]) for known in standing)
        raise Problem(
            f"Order {order} has more than one such payment: {names}.", advice="Say --payment.", exit_code=USAGE
        )
    if standing[0]["role"] == "accepted" and not end_order:
        raise Problem(
            f"Payment {standing[0]['payment_key']} is what pays order {order}: refunding it ends the order."
            " Nothing was refunded.",
            advice="Say --end-order if that is meant.",
            exit_code=USAGE,
        )
    return dict(standing[0])
