"""An order as the database has it, asked through InspectOrder, and how it is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import RenderableType

from operations.desk import Desk
from operations.environment import Environment
from operations.output import coloured, moment, plain, table
from operations.problems import FunctionFailed
from ticketing import money


def find(environment: Environment, wanted: str) -> dict[str, Any] | None:
    """Find an order by its id, or by a Stripe id: `cs_…`, `pi_…` or `evt_…`; None where there is none.

    Returns:
        `order`, `payments`, `refunds` and `history`, with the tables' own column names.

    Raises:
        FunctionFailed: the database is away.
    """
    result = environment.invoke("InspectOrderFunction", question_of(wanted))
    found = result["found"]
    return found if isinstance(found, dict) else None


def find_if_reachable(desk: Desk, wanted: str) -> tuple[dict[str, Any] | None, bool]:
    """Find an order as `find` does, and say whether the database answered: an operator looks when it does not, too."""
    try:
        return find(desk.environment, wanted), True
    except FunctionFailed as failure:
        desk.output.note(f"[yellow]{plain(failure.sentence)}[/yellow] What follows is from the functions' logs alone.")
        return None, False


def question_of(wanted: str) -> dict[str, Any]:
    """Give InspectOrder's input for an order's id or a Stripe id."""
    if wanted.isascii() and wanted.isdigit():
        return {"order_id": int(wanted)}
    field = {"cs": "session_id", "pi": "payment_intent_id", "evt": "stripe_event_id"}[wanted.split("_", 1)[0]]
    return {field: wanted}


def render(inspected: dict[str, Any]) -> list[RenderableType]:
    """Show an order: what it is, what was paid and refunded, and what happened to it."""
    order = inspected["order"]
    shown: list[RenderableType] = [
        table(f"Order {order['id']}", "", "", rows=[[name, value] for name, value in _facts(order)])
    ]
    if inspected["payments"]:
        rows = [
            [
                plain(payment["payment_key"]),
                plain(payment["role"]),
                _amount(payment["amount_minor"], payment["currency"]),
                _amount(payment["refunded_minor"], payment["currency"]),
                _time(payment["created_at"]),
            ]
            for payment in inspected["payments"]
        ]
        shown.append(table("Payments", "payment", "role", "amount", "refunded", "recorded (UTC)", rows=rows))
    if inspected["refunds"]:
        rows = [
            [
                plain(refund["stripe_refund_id"]),
                plain(refund["payment_key"]),
                _amount(refund["amount_minor"], order["currency"]),
                plain(refund["status"]),
                _time(refund["created_at"]),
            ]
            for refund in inspected["refunds"]
        ]
        shown.append(table("Refunds", "refund", "of payment", "amount", "status", "recorded (UTC)", rows=rows))
    if not inspected["history"]:
        return shown
    rows = [
        [
            _time(entry["recorded_at"]),
            plain(entry["entry"]),
            plain(entry["stripe_event_id"]),
            plain(entry["stripe_object_id"]),
            plain((entry["execution_id"] or "").rpartition(":")[2]),
        ]
        for entry in inspected["history"]
    ]
    shown.append(table("What happened", "when (UTC)", "what", "Stripe event", "object", "execution", rows=rows))
    return shown


def _facts(order: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("status", coloured(order["status"]) + _since(" since", order["paid_at"])),
        ("ticket", f"{order['quantity']} of ticket {order['ticket_id']}, event {order['event_id']}"),
        ("total", f"{order['total_amount']} {order['currency'].upper()}"),
        ("session", plain(order["stripe_checkout_session_id"])),
        ("payment", plain(order["stripe_payment_intent_id"])),
        ("holds", _holds(order)),
        ("seats", _counted(order["ticket_counted_at"], order["ticket_returned_at"])),
    ]
    if order["discount_code_id"] is not None:
        facts.append(
            (
                f"code {order['discount_code_id']}",
                _counted(order["discount_counted_at"], order["discount_returned_at"]),
            )
        )
    if float(order["refunded_amount"]):
        facts.append(("refunded", f"{order['refunded_amount']} {order['currency'].upper()}"))
    facts.append(("made", f"{_time(order['created_at'])} UTC"))
    return facts


def _holds(order: dict[str, Any]) -> str:
    if not order["held_quantity"] and not order["code_held"]:
        return "nothing"
    held = [f"{order['held_quantity']} seats"] if order["held_quantity"] else []
    held += ["the code's use"] if order["code_held"] else []
    return " and ".join(held) + _since(" until", order["hold_expires_at"])


def _counted(counted_at: str | None, returned_at: str | None) -> str:
    if returned_at is not None:
        return f"counted, and given back {_time(returned_at)}"
    return "not counted" if counted_at is None else f"counted {_time(counted_at)}"


def _since(word: str, time: str | None) -> str:
    return "" if time is None else f"{word} {_time(time)} UTC"


def _time(text: str | None) -> str:
    return moment(None if text is None else datetime.fromisoformat(text))


def _amount(minor: int, currency: str) -> str:
    return money.spoken(minor, currency)
