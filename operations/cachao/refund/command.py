"""`cachao refund`: gives a payment of an order, or a part of it, back through Stripe, and records it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import typer

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.corrections.frame import DryRun, Reason, Yes, check_reason, correct
from cachao.problems import USAGE, Problem
from cachao.refund import choice
from cachao.refund.event import Wish, refund_event
from cachao.view import orders as order_view
from cachao.view.output import escape
from ticketing import money
from ticketing.corrections.event_refund.lines import Scope
from ticketing.payments import situation
from ticketing.payments.standing import LedgerPayment
from ticketing.stripe.states import DisputePhase

# A repeat of the same request within this time is taken for the same one.
_SAME_REQUEST: Final = timedelta(minutes=60)
_ON_ITS_WAY: Final = {
    "pending": "It is under way. If it fails, an alert comes.",
    "requires_action": "It waits for the buyer: Stripe has sent the buyer an e-mail. If it fails, an alert comes.",
}


def refund(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    order: Annotated[int | None, typer.Argument(help="The order's id.", min=1)] = None,
    payment: Annotated[
        str | None, typer.Option(help="The payment to refund (pi_…). Default: the one that pays nothing.")
    ] = None,
    *,
    seats: Annotated[
        int | None, typer.Option(help="So many of its seats: their price goes back, and they are on sale again.", min=1)
    ] = None,
    of: Annotated[int | None, typer.Option(help="The seats it has now: says which --seats is meant.", min=1)] = None,
    amount: Annotated[
        str | None,
        typer.Option(help="Only so much of it, e.g. 12.50: the order stays paid, and keeps its seats (but --seats)."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --amount: that much once more, also within an hour.")
    ] = False,
    end_order: Annotated[
        bool,
        typer.Option("--end-order", help="Refund also the payment that pays the order: its seats go back on sale."),
    ] = False,
    although_disputed: Annotated[
        bool, typer.Option("--although-disputed", help="Refund also while a dispute is open: meant for an inquiry.")
    ] = False,
    event: Annotated[int | None, typer.Option(help="All orders of this event, which was called off.", min=1)] = None,
    ticket: Annotated[int | None, typer.Option(help="All orders of this ticket.", min=1)] = None,
    rate: Annotated[float, typer.Option(help="With --event: requests to Stripe a second.", min=0.1, max=100)] = 20.0,
    report: Annotated[bool, typer.Option("--report", help="With --event: only say what became of each order.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --event: the report as CSV, a line for each.")] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Refund a payment, a part of it, some seats, or all orders of an event that was called off.

    For payments that could not become a ticket (PaidButSoldOut, DuplicatePayment, PaymentForClosedOrder) the order
    number suffices. Repeated, it refunds nothing more, says what went back, and ends with 0.

    With --amount only that much goes back, of the payment that pays the order unless --payment names another. Repeated
    within an hour it refunds nothing more, unless --again says so; the question says what went back before.

    With --seats so many of its seats go back on sale, and their price, or --amount, to the buyer; the order stays paid.
    The same command within an hour is a repeat: it refunds nothing more, and goes on where it was cut off.

    With --event, or --ticket, for what was called off: stops the sale, ends orders that are free or unpaid, and refunds
    each payment once, at the pace that Stripe allows. What is in dispute, or not settled yet, is left alone and listed.
    Cut off, or where the balance at Stripe ran dry, the same command goes on where it was. It ends with a report.

    While a dispute of the payment is open nothing is refunded: the bank has taken the money, and it would be lost
    twice.

    [bold]Examples[/bold]

        cachao refund 1234

        cachao refund 1234 --payment pi_3Q… --yes

        cachao refund 1234 --end-order

        cachao refund 1234 --amount 12.50

        cachao refund 1234 --seats 1

        cachao refund --event 12 --dry-run

        cachao refund --event 12 --report --csv > refunds.csv
    """
    context: CommandContext = ctx.obj
    if event is not None or ticket is not None:
        _require_alone(order, event, ticket, other=[payment, seats, of, amount, end_order, although_disputed])
        check_reason(reason)
        wish = Wish(rate=rate, as_csv=as_csv, report_only=report, reason=reason, dry_run=dry_run, yes=yes)
        refund_event(context, Scope(event_id=event, ticket_id=ticket), wish)
        return
    if order is None or report or as_csv:
        raise Problem("Say an order's number, or --event NUMBER; --report and --csv go with that.", exit_code=USAGE)
    if amount is not None and end_order:
        raise Problem("--amount leaves the order paid, --end-order ends it: use one of them.", exit_code=USAGE)
    check_reason(reason)
    if seats is not None:
        if end_order or payment is not None:
            raise Problem("--seats goes with --amount and --of only.", exit_code=USAGE)
        wanted = {"kind": "refund_seats", "seats": seats, "of": of, "amount": amount}
        wanted |= {"although_disputed": although_disputed}
        correct(context, order, wanted, doing="Refund", reason=reason, dry_run=dry_run, yes=yes)
        return
    if of is not None:
        raise Problem("--of goes with --seats.", exit_code=USAGE)
    inspected = _find(context, order)
    chosen = (
        choice.choose_part(inspected, payment)
        if amount is not None
        else choice.choose(inspected, payment, end_order=end_order)
    )
    if chosen is None:
        _report_what_went_back(context, choice.went_back(inspected, payment))
        return
    disputed = _disputed(inspected, chosen, allowed=although_disputed)
    part = None if amount is None else _minor(amount, chosen)
    if not again and _report_made_before(context, inspected, chosen, part):
        return
    question = _question(context, inspected, chosen, part) + disputed
    if dry_run:
        _answer_dry_run(context, chosen, part, question)
        return
    context.output.confirm(question, yes=yes)
    refunded = context.environment.invoke(
        "RefundPaymentFunction",
        {
            "execution_id": "cachao refund",
            "order_id": order,
            "payment_key": chosen.payment_key,
            "accepted_too": end_order,
            "part": None if part is None else {"amount_minor": part, "refunded_minor": chosen.refunded_minor},
            "by": operator.name_of(context.environment),
            "reason": reason,
        },
    )
    reported = _ON_ITS_WAY.get(refunded["status"])
    context.output.answer(
        {**refunded, "already_refunded": []},
        f"{refunded['amount']} of payment {refunded['payment_key']} {'goes' if reported else 'went'} back:"
        f" refund {refunded['refund_id']}. {reported or 'It reaches the buyer within days.'}",
    )


def _find(context: CommandContext, order: int) -> dict[str, Any]:
    inspected = order_view.find(context.environment, str(order))
    if inspected is None:
        raise Problem(f"There is no order {order}. Nothing was refunded.")
    return inspected


def _require_alone(order: int | None, event: int | None, ticket: int | None, *, other: list[object]) -> None:
    if order is not None or (event is not None and ticket is not None) or any(other):
        raise Problem("Say an order's number, or --event, or --ticket, and nothing of another one.", exit_code=USAGE)


def _question(context: CommandContext, inspected: dict[str, Any], chosen: LedgerPayment, part: int | None) -> str:
    left = money.format_amount(chosen.left_minor, chosen.currency)
    order = f"order {inspected['order']['id']} ({inspected['order']['status']})"
    if part is None:
        what = f"Refund {left} of payment {chosen.payment_key}, {order}, in {context.environment.name}?"
        return what + choice.consequence(inspected, chosen)
    before = situation.went_back(choice.situation_of(inspected, chosen.payment_key))
    amount = money.format_amount(part, chosen.currency)
    return (
        f"Refund {amount} of the remaining {left} of payment {chosen.payment_key}, {order},"
        f" in {context.environment.name}?{before} The order stays as it is, and keeps its seats."
    )


def _answer_dry_run(context: CommandContext, chosen: LedgerPayment, part: int | None, question: str) -> None:
    minor = chosen.left_minor if part is None else part
    context.output.answer(
        {
            "dry_run": True,
            "payment_key": chosen.payment_key,
            "amount_minor": minor,
            "currency": chosen.currency,
            "amount": money.format_amount(minor, chosen.currency),
        },
        escape(f"It would ask: {question}"),
    )


def _minor(amount: str, payment: LedgerPayment) -> int:
    """Give a part of a payment in minor units.

    Raises:
        Problem: it is no amount, finer than the currency's smallest coin, or not less than what is left.
    """
    left = money.format_amount(payment.left_minor, payment.currency)
    try:
        minor = money.to_minor_units(Decimal(amount.strip()), payment.currency)
    except (InvalidOperation, ValueError, OverflowError):
        raise Problem(
            f"{amount!r} is not an amount in {payment.currency.upper()}.",
            advice="Write it as 12 or 12.50.",
            exit_code=USAGE,
        ) from None
    if not 0 < minor < payment.left_minor:
        raise Problem(
            f"Of payment {payment.payment_key} {left} is left: a part is more than 0 and less than that."
            " Nothing was refunded.",
            advice="To refund all that is left, omit --amount (and add --end-order if the payment pays the order).",
            exit_code=USAGE,
        )
    return minor


def _report_made_before(
    context: CommandContext, inspected: dict[str, Any], payment: LedgerPayment, part: int | None
) -> bool:
    """Say that the same was asked for and done within an hour; False where it was not."""
    if part is None:
        return False
    now = datetime.now(UTC)
    # A function of an older deployment knows no corrections.
    same = [
        made
        for made in inspected.get("corrections", [])
        if (made["kind"], made["payment_key"], made["amount_minor"]) == ("refund", payment.payment_key, part)
        and " --amount " in made["request"]
        and now - datetime.fromisoformat(made["corrected_at"]) < _SAME_REQUEST
    ]
    # One that failed since is to be made anew.
    stands = any(
        known.went_back and known.amount_minor == part
        for known in choice.situation_of(inspected, payment.payment_key).refunds
    )
    if not same or not stands:
        return False
    amount = money.format_amount(part, payment.currency)
    context.output.answer(
        {
            "payment_key": payment.payment_key,
            "amount_minor": part,
            "currency": payment.currency,
            "amount": amount,
            "already_refunded": [{"correction": made["id"], "at": made["corrected_at"]} for made in same],
        },
        f"Already refunded: {amount} of {escape(payment.payment_key)} within the last hour (correction"
        f" {same[-1]['id']}); nothing to do. To refund that much once more, add --again.",
    )
    return True


def _report_what_went_back(context: CommandContext, payments: list[dict[str, Any]]) -> None:
    context.output.answer(
        # As the first time, for a program that says it again.
        {**payments[-1], "already_refunded": payments},
        *[
            f"Already refunded: {known['amount']} of {escape(known['payment_key'])} by {escape(known['by'])};"
            " nothing to do."
            for known in payments
        ],
    )


def _disputed(inspected: dict[str, Any], payment: LedgerPayment, *, allowed: bool) -> str:
    """Say in the question that a dispute of the payment is open; without leave nothing is refunded then."""
    disputes = choice.disputes_in_the_way(inspected, payment)
    if not disputes:
        return ""
    first = disputes[0]
    until, name = situation.deadline(first), first.stripe_dispute_id
    if first.phase is DisputePhase.OPENED:
        said = (
            f"Dispute {first.stripe_dispute_id} of payment {payment.payment_key} is open: the bank has taken the money,"
            " and Stripe refuses a refund (charge_disputed). Paid back in another way it is lost twice."
        )
        advice = f"Answer or accept it {until}: cachao dispute {name}. See docs/runbook.md#disputeopened."
    else:
        said = (
            f"Inquiry {first.stripe_dispute_id} of payment {payment.payment_key} is open: the money is still with the"
            " shop, and a refund of all of it settles the matter."
        )
        advice = (
            f"Answer it {until}: cachao dispute {name}; or say --although-disputed to refund."
            " See docs/runbook.md#disputeopened."
        )
    if allowed:
        return f" {said}"
    raise Problem(f"{said} Nothing was refunded.", advice=advice, exit_code=USAGE)
