"""An order as the database has it, asked through InspectOrder, and how it is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rich.console import RenderableType

from cachao.aws.environment import Environment
from cachao.problems import FunctionFailed
from cachao.view.output import coloured, escape, moment, pluralize, table
from ticketing import money
from ticketing.orders.status import OrderStatus
from ticketing.payments import standing

# InspectOrder's words for Stripe's ids.
_FIELDS: Final = {
    "cs": "session_id",
    "pi": "payment_intent_id",
    "evt": "stripe_event_id",
    "re": "refund_id",
    "pyr": "refund_id",
    "dp": "dispute_id",
    "du": "dispute_id",
    "ch": "charge_id",
    "py": "charge_id",
}


def find(environment: Environment, wanted: str) -> dict[str, Any] | None:
    """Find an order by its id, or by a Stripe id (`question_of`); None where there is none.

    Returns:
        `order`, `ticket`, `code`, `payments`, `refunds` and `history`, with the tables' own column names.

    Raises:
        FunctionFailed: the database is away.
    """
    result = environment.invoke("InspectOrderFunction", question_of(wanted))
    found = result["found"]
    return found if isinstance(found, dict) else None


def find_if_reachable(environment: Environment, wanted: str) -> tuple[dict[str, Any] | None, FunctionFailed | None]:
    """Find an order as `find` does; or give what kept it from being read: an operator looks then, too."""
    try:
        return find(environment, wanted), None
    except FunctionFailed as failure:
        return None, failure


def not_read(failure: FunctionFailed) -> str:
    """Say that an order could not be read, and what is shown instead."""
    stop = "" if failure.sentence.endswith((".", "!", "?")) else "."
    return f"The order could not be read: {failure.sentence}{stop} What follows comes from the functions' logs."


def question_of(wanted: str) -> dict[str, Any]:
    """Give InspectOrder's input for an order's id or a Stripe id."""
    if wanted.isascii() and wanted.isdigit():
        return {"order_id": int(wanted)}
    return {_FIELDS[wanted.split("_", 1)[0]]: wanted}


def render(inspected: dict[str, Any]) -> list[RenderableType]:
    """Show an order: what it is, what was paid and refunded, and what happened to it."""
    order = inspected["order"]
    shown: list[RenderableType] = [
        table(f"Order {order['id']}", "", "", rows=[[name, value] for name, value in _facts(inspected)])
    ]
    if inspected["payments"]:
        rows = [
            [
                escape(payment["payment_key"]),
                escape(payment["role"]),
                _paid(payment),
                _amount(payment["refunded_minor"], payment["currency"]),
                _time(payment["created_at"]),
            ]
            for payment in inspected["payments"]
        ]
        shown.append(table("Payments", "payment", "role", "amount", "refunded", "recorded (UTC)", rows=rows))
    currencies = {payment["payment_key"]: payment["currency"] for payment in inspected["payments"]}
    if inspected["refunds"]:
        rows = [
            [
                escape(refund["stripe_refund_id"]),
                escape(refund["payment_key"]),
                # A refund is in the currency that the buyer was charged.
                _amount(refund["amount_minor"], currencies.get(refund["payment_key"], order["currency"])),
                escape(refund["status"]),
                _time(refund["created_at"]),
            ]
            for refund in inspected["refunds"]
        ]
        shown.append(table("Refunds", "refund", "of payment", "amount", "status", "recorded (UTC)", rows=rows))
    if inspected.get("disputes"):
        shown.append(_disputes(inspected["disputes"]))
    # A function of an older deployment knows no corrections.
    if inspected.get("corrections"):
        shown.append(_corrections(inspected["corrections"]))
    if not inspected["history"]:
        return shown
    rows = [
        [
            _time(entry["recorded_at"]),
            escape(entry["entry"]),
            escape(entry["stripe_event_id"]),
            escape(entry["stripe_object_id"]),
            escape((entry["execution_id"] or "").rpartition(":")[2]),
        ]
        for entry in inspected["history"]
    ]
    shown.append(table("What happened", "when (UTC)", "what", "Stripe event", "object", "execution", rows=rows))
    return shown


def _paid(payment: dict[str, Any]) -> str:
    """Write a payment's amount, with what the buyer saw where that was another currency (adaptive pricing)."""
    presented = payment.get("presented_minor")
    saw = None if presented is None else (presented, payment["presented_currency"])
    return escape(money.format_charged(payment["amount_minor"], payment["currency"], saw))


def _disputes(disputes: list[dict[str, Any]]) -> RenderableType:
    rows = [
        [
            escape(dispute["stripe_dispute_id"]),
            escape(dispute["payment_key"]),
            _amount(dispute["amount_minor"], dispute["currency"]),
            escape(dispute["status"]),
            escape(dispute["reason"] or ""),
            _time(dispute["due_by"]) if dispute["is_open"] else "",
            _time(dispute["funds_withdrawn_at"]),
            _time(dispute["funds_reinstated_at"]),
        ]
        for dispute in disputes
    ]
    columns = ("dispute", "of payment", "amount", "status", "reason", "answer by (UTC)", "taken (UTC)", "back (UTC)")
    return table("Disputes", *columns, rows=rows)


def _corrections(corrections: list[dict[str, Any]]) -> RenderableType:
    rows = [
        [
            str(made["id"]),
            _time(made["corrected_at"]),
            escape(f"cachao {made['request']}" + ("" if made["done_at"] else " (under way: say it again)")),
            escape(made["corrected_by"]),
            escape(made["reason"]),
        ]
        for made in corrections
    ]
    return table("Corrections", "no.", "when (UTC)", "what", "who", "why", rows=rows)


def _facts(inspected: dict[str, Any]) -> list[tuple[str, str]]:
    # A function of an older deployment does not say what room there is.
    order = inspected["order"]
    facts = [
        ("status", coloured(order["status"]) + _since(" since", order["paid_at"])),
        ("ticket", f"{order['quantity']} of ticket {_ticket(inspected)}, event {order['event_id']}"),
        ("total", _total(order)),
        ("session", escape(order["stripe_checkout_session_id"])),
        ("payment", escape(order["stripe_payment_intent_id"])),
        ("holds", _holds(order)),
        ("seats", _seats(order)),
        *([("room", _room(inspected["ticket"]))] if "ticket" in inspected else []),
    ]
    if order["discount_code_id"] is not None:
        facts += [
            (
                f"code {order['discount_code_id']}",
                _counted(order["discount_counted_at"], order["discount_returned_at"]),
            ),
            *([("code's uses", _uses(inspected["code"]))] if "code" in inspected else []),
        ]
    if float(order["refunded_amount"]) or any(payment["refunded_minor"] for payment in inspected["payments"]):
        facts.append(("refunded", _refunded(inspected)))
    facts.append(("made", f"{_time(order['created_at'])} UTC" if order["created_at"] else "nobody knows when"))
    return facts


def _ticket(inspected: dict[str, Any]) -> str:
    ticket = inspected.get("ticket")
    return str(inspected["order"]["ticket_id"]) + (f" ({escape(ticket['name'])})" if ticket else "")


def _total(order: dict[str, Any]) -> str:
    currency = order["currency"].upper()
    saved = f", {order['discount_amount']} saved by a discount" if float(order["discount_amount"]) else ""
    return f"{order['total_amount']} {currency} ({order['quantity']} x {order['unit_price']}{saved})"


def _room(ticket: dict[str, Any] | None) -> str:
    if ticket is None:
        return "[red]the ticket is gone[/red]"
    off = "" if ticket["is_active"] else "; the ticket is not on sale"
    return _share("seat", ticket["max_quantity"], ticket["sold_quantity"], "sold", ticket["held_quantity"]) + off


def _uses(code: dict[str, Any] | None) -> str:
    if code is None:
        return "[red]the code is gone[/red]"
    off = "" if code["is_active"] else "; the code is not active"
    return _share("use", code["max_uses"], code["used_count"], "used", code["held_count"]) + off


def _share(noun: str, most: int | None, gone: int, how: str, held: int) -> str:
    taken = f"{gone} {how}, {held} held"
    return f"no limit; {taken}" if most is None else f"{_left(most - gone - held, noun)} of {most} ({taken})"


def _left(number: int, noun: str) -> str:
    return f"{pluralize(number, noun)} left" if number >= 0 else f"[red]{pluralize(-number, noun)} too many[/red]"


def _refunded(inspected: dict[str, Any]) -> str:
    """Say of which payment it was: an order stays paid when only its second payment went back."""
    order = inspected["order"]
    lines = []
    payments = standing.payments_in(inspected["payments"])
    carrying = standing.carrying(order, payments)
    for payment in payments:
        if payment.refunded_minor:
            pays = carrying is not None and payment.payment_key == carrying.payment_key
            whose = "of the payment that pays the order" if pays else f"of another payment, {escape(payment.role)}"
            lines.append(
                f"{_amount(payment.refunded_minor, payment.currency)}, {whose} ({escape(payment.payment_key)})"
            )
    return "\n".join(lines) or f"{order['refunded_amount']} {order['currency'].upper()}"


def _holds(order: dict[str, Any]) -> str:
    if not order["held_quantity"] and not order["code_held"]:
        return "nothing"
    held = [pluralize(order["held_quantity"], "seat")] if order["held_quantity"] else []
    held += ["the code's use"] if order["code_held"] else []
    return " and ".join(held) + _since(" until", order["hold_expires_at"])


def _seats(order: dict[str, Any]) -> str:
    untouched = order["paid_at"] is None and order["ticket_counted_at"] is None and not order["held_quantity"]
    if order["status"] == OrderStatus.PAID and untouched:
        return "not counted by this shop: the order was paid before it, or marked by hand"
    return _counted(order["ticket_counted_at"], order["ticket_returned_at"])


def _counted(counted_at: str | None, returned_at: str | None) -> str:
    if returned_at is not None:
        return f"counted, and given back {_time(returned_at)}"
    return "not counted" if counted_at is None else f"counted {_time(counted_at)}"


def _since(word: str, time: str | None) -> str:
    return "" if time is None else f"{word} {_time(time)} UTC"


def _time(text: str | None) -> str:
    return moment(None if text is None else datetime.fromisoformat(text))


def _amount(minor: int, currency: str) -> str:
    return money.format_amount(minor, currency)
