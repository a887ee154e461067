"""The final balance: what must hold when everything has been replayed, whatever happened before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from local.stack import Alert
from tests.balance import Balance
from tests.storm.orders import Shop
from ticketing.database import Database, Row

_EXECUTION = re.compile(r"^Execution: (\S+)", re.MULTILINE)
_ORDERS = re.compile(r"^Orders?: (.+)$", re.MULTILINE)


def draw_up(
    database: Database,
    shop: Shop,
    executions: Sequence[Mapping[str, Any]],
    order_of: Mapping[str, str],
    alerts: Sequence[Alert],
    dead_letters: int,
) -> Balance:
    """Compare the database, the executions and the alerts with what was ordered and paid.

    `order_of` gives the order of each failed execution, by its ARN.
    """
    balance = Balance()
    _orders(balance, shop, _rows(database, "SELECT * FROM ticket_orders"))
    _counters(balance, database, shop)
    _ledger(balance, database, shop)
    _alerts(balance, executions, order_of, alerts)
    balance.check("dead letters left", dead_letters, 0)
    return balance


def _orders(balance: Balance, shop: Shop, orders: list[Row]) -> None:
    number = len(shop.orders)
    balance.check("orders paid", sum(order["status"] == "paid" and bool(order["paid_at"]) for order in orders), number)
    balance.check("orders whose seats are counted", sum(bool(order["ticket_counted_at"]) for order in orders), number)
    balance.check(
        "orders whose discount use is counted",
        sum(bool(order["discount_counted_at"]) for order in orders),
        sum(shop.uses_of_code.values()),
    )
    balance.check(
        "orders that still hold something", sum(bool(o["held_quantity"] or o["code_held"]) for o in orders), 0
    )


def _counters(balance: Balance, database: Database, shop: Shop) -> None:
    tickets = _rows(database, "SELECT id, sold_quantity, held_quantity, max_quantity FROM tickets")
    balance.check("seats sold", sum(ticket["sold_quantity"] for ticket in tickets), sum(shop.seats_of_ticket.values()))
    balance.check(
        "ticket types whose sold, held and maximum are exact",
        sum(
            (ticket["sold_quantity"], ticket["held_quantity"], ticket["max_quantity"])
            == (shop.seats_of_ticket[ticket["id"]], 0, shop.seats_of_ticket[ticket["id"]])
            for ticket in tickets
        ),
        len(shop.seats_of_ticket),
    )
    codes = _rows(database, "SELECT id, used_count, held_count FROM discount_codes")
    balance.check("discount uses", sum(code["used_count"] for code in codes), sum(shop.uses_of_code.values()))
    balance.check(
        "codes whose used and held are exact",
        sum((code["used_count"], code["held_count"]) == (shop.uses_of_code[code["id"]], 0) for code in codes),
        len(shop.uses_of_code),
    )


def _ledger(balance: Balance, database: Database, shop: Shop) -> None:
    payments = Counter(row["order_id"] for row in _rows(database, "SELECT order_id FROM order_payments"))
    roles = Counter(row["role"] for row in _rows(database, "SELECT role FROM order_payments"))
    paid = Counter(
        row["order_id"] for row in _rows(database, "SELECT order_id FROM order_history WHERE entry = 'paid'")
    )
    number = len(shop.orders)
    balance.check("orders with exactly one payment", sum(count == 1 for count in payments.values()), number)
    balance.check("payments by role", dict(roles), {"accepted": number})
    balance.check("orders that were marked paid exactly once", sum(count == 1 for count in paid.values()), number)


def _alerts(
    balance: Balance, executions: Sequence[Mapping[str, Any]], order_of: Mapping[str, str], alerts: Sequence[Alert]
) -> None:
    statuses = Counter(execution["status"] for execution in executions)
    failed = {execution["executionArn"] for execution in executions if execution["status"] == "FAILED"}
    about = Counter(found[1] if (found := _EXECUTION.search(alert.message)) else "?" for alert in alerts)
    balance.check("executions that neither succeeded nor failed", sum(statuses.values()) - _ended(statuses), 0)
    # Many alerts of one error are one, and a summary, which names the orders of all others.
    named = {order for alert in alerts for orders in _ORDERS.findall(alert.message) for order in orders.split(", ")}
    unheard = {arn for arn in failed if order_of[arn] not in named}
    balance.check("failed executions whose order no alert names", len(unheard), 0)
    balance.check("fewer alerts than failed executions, or one", len(alerts) <= max(1, len(failed)), True)
    balance.check("alerts without a failed execution", len(about.keys() - failed), 0)


def _ended(statuses: Counter[str]) -> int:
    return statuses["SUCCEEDED"] + statuses["FAILED"]


def _rows(database: Database, sql: str) -> list[Row]:
    with database.transaction() as tx:
        return tx.all(sql)
