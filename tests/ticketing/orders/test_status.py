"""No SQL text writes an order's state out: the enum hands it over, so a changed state is changed in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ticketing.orders.status import CLOSED, LAPSED, LIVE, OrderStatus

ROOT = Path(__file__).resolve().parents[3]
STATE = re.compile(rf"'(?:{'|'.join(OrderStatus)})'")
SQL = re.compile(r"\b(?:SELECT|UPDATE|INSERT|DELETE|WHERE|AND|IF|SET)\b")


def sql_texts(source: str) -> Iterator[tuple[int, str]]:
    """Give each text that looks like SQL and speaks of a `status`, with its line; what an f-string puts in is `{}`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if SQL.search(text) and re.search(r"\bstatus\b", text):
            yield node.lineno, text


def states_in(source: str) -> list[int]:
    return [line for line, text in sql_texts(source) if STATE.search(text)]


def test_finds_a_state_in_any_part_of_a_statement() -> None:
    assert states_in("tx.one('SELECT id FROM ticket_orders'\n \" WHERE status = 'paid'\")")
    assert states_in("""A = f"SELECT {COLUMNS} FROM ticket_orders AS o WHERE o.status IN ('pending', 'expired')" """)
    assert states_in("""A = f"UPDATE ticket_orders SET status = 'failed' WHERE id = {number}" """)
    assert not states_in("""A = "SELECT id FROM ticket_orders WHERE status = %s" """)
    assert not states_in("""A = "The order's status is 'paid' already." """)


def test_states_come_into_sql_as_parameters() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("functions", "operations")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in states_in(path.read_text(encoding="utf-8"))
    ]
    assert not found, "hand the state over as a parameter: OrderStatus, or a group of ticketing/orders/status.py"


def test_each_state_is_paid_or_in_one_group() -> None:
    groups = (LIVE, LAPSED, CLOSED, frozenset({OrderStatus.PAID}))
    assert sorted(status for group in groups for status in group) == sorted(OrderStatus)
