"""What must be true after every schedule, worked out from the rows and not by the shop's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.schedules.tasks import FACTS
from tests.schedules.worlds import CROWD, ORDER, OTHER_ORDER, PARTS, PRICE, Rows, World
from ticketing.database import Row

# What is read of each table: when something happened does not matter, only whether.
_STATE = (
    "SELECT id, max_quantity, sold_quantity, held_quantity FROM tickets WHERE id <= 2 ORDER BY id",
    "SELECT id, max_uses, used_count, held_count FROM discount_codes ORDER BY id",
    (
        "SELECT id, status, quantity, ticket_id, discount_code_id, total_amount, refunded_amount, held_quantity,"
        " held_ticket_id, code_held, held_code_id, hold_expires_at IS NOT NULL AS has_end,"
        " paid_at IS NOT NULL AS was_paid,"
        " IF(id <= 2, stripe_checkout_session_id, stripe_checkout_session_id IS NOT NULL) AS session,"
        " stripe_payment_intent_id AS payment, ticket_counted_at IS NOT NULL AS seats_counted,"
        " ticket_returned_at IS NOT NULL AS seats_returned, counted_ticket_id, counted_quantity,"
        " discount_counted_at IS NOT NULL AS use_counted, discount_returned_at IS NOT NULL AS use_returned,"
        " counted_code_id"
        f" FROM ticket_orders WHERE id NOT BETWEEN {CROWD[0]} AND {CROWD[-1]} ORDER BY id"
    ),
    "SELECT order_id, payment_key, role, amount_minor, refunded_minor FROM order_payments ORDER BY payment_key",
    "SELECT order_id, stripe_refund_id, amount_minor, status FROM order_refunds ORDER BY stripe_refund_id",
    "SELECT order_id, stripe_dispute_id, phase FROM order_disputes ORDER BY stripe_dispute_id",
    "SELECT order_id, effect, amount, settled_at IS NOT NULL AS is_settled FROM counts_off ORDER BY order_id, effect",
    "SELECT order_id, response_body IS NOT NULL AS has_reply FROM idempotency_keys ORDER BY key_hash",
    "SELECT order_id FROM order_checkouts ORDER BY order_id",
    "SELECT order_id, stripe_event_id FROM order_history WHERE entry = 'expired' ORDER BY id",
)
_NAMES = ("tickets", "codes", "orders", "payments", "refunds", "disputes", "offs", "keys", "openers", "expiries")
# What the shop itself ends a session for, so that nobody can pay any more.
_OWN_CAUSES = frozenset({"cancel_link", "hold_ended", "checkout"})
# Answers that no order of events may lead to.
_NEVER = frozenset({"DataInconsistent", "OrderNotFound", "OrderMismatch", "AmountMismatch", "InvalidEvent"})
# But for these, where two sessions claim an order that knows neither: the second to come is told.
_TWO_SESSIONS = frozenset({"OrderMismatch"})
_WAITS = frozenset({"pending", "processing"})


@dataclass(frozen=True)
class Books:
    """All rows that matter, as they are."""

    tables: dict[str, list[Row]]

    def __getattr__(self, name: str) -> list[Row]:
        return self.tables[name]

    @property
    def outcome(self) -> str:
        """The same text for two states that differ only in the numbers of new orders."""
        shown = []
        for name, rows in self.tables.items():
            if name == "expiries":
                continue
            texts = [str({key: _anonymous(key, value) for key, value in row.items()}) for row in rows]
            shown.append(f"{name}: {sorted(texts)}")
        return "\n".join(shown)


def read_books(rows: Rows) -> Books:
    return Books(dict(zip(_NAMES, rows.ask("; ".join(_STATE)), strict=True)))


def _anonymous(key: str, value: Any) -> Any:
    return "new" if key in {"id", "order_id"} and isinstance(value, int) and value > OTHER_ORDER else value


def problems(
    books: Books, world: World, tasks: Sequence[str], outcomes: Sequence[str], *, killed: int = 0
) -> list[str]:
    """Say what is not as it must be; nothing: all is well. `killed`: so many connections ended."""
    never = _NEVER - _TWO_SESSIONS if "look_up_second" in tasks else _NEVER
    return [
        *(f"{name} ends as {outcome}" for name, outcome in zip(tasks, outcomes, strict=False) if outcome in never),
        *_seats(books),
        *_uses(books),
        *(line for order in books.orders for line in _order(order, books)),
        *_money(books, world, tasks),
        *_new_orders(books, tasks, outcomes, killed),
    ]


def _seats(books: Books) -> list[str]:
    found = []
    for ticket in books.tickets:
        sold = sum(
            o["counted_quantity"] for o in books.orders if _has_seats(o) and o["counted_ticket_id"] == ticket["id"]
        )
        held = sum(o["held_quantity"] for o in books.orders if o["held_ticket_id"] == ticket["id"])
        if (ticket["sold_quantity"], ticket["held_quantity"]) != (sold, held):
            found.append(f"ticket {ticket} does not say what its orders do: {sold} sold, {held} held")
        if ticket["sold_quantity"] + ticket["held_quantity"] > ticket["max_quantity"]:
            found.append(f"more seats than there are: {ticket}")
    return found


def _uses(books: Books) -> list[str]:
    found = []
    for code in books.codes:
        used = sum(1 for o in books.orders if _has_use(o) and o["counted_code_id"] == code["id"])
        held = sum(o["code_held"] for o in books.orders if o["held_code_id"] == code["id"])
        if (code["used_count"], code["held_count"]) != (used, held):
            found.append(f"code {code} does not say what its orders do: {used} used, {held} held")
        if code["used_count"] + code["held_count"] > code["max_uses"]:
            found.append(f"more uses than there are: {code}")
    return found


def _has_seats(order: Row) -> bool:
    return bool(order["seats_counted"] and not order["seats_returned"])


def _has_use(order: Row) -> bool:
    return bool(order["use_counted"] and not order["use_returned"])


def _order(order: Row, books: Books) -> list[str]:
    found = []
    status = order["status"]
    waits = status in _WAITS or (status == "paid" and not order["seats_counted"])
    if status != "cancelled":
        if order["held_quantity"] != (order["quantity"] if waits else 0):
            found.append(f"holds what its state does not call for: {order}")
        if order["code_held"] and not (status in _WAITS or (status == "paid" and not order["use_counted"])):
            found.append(f"holds a use that its state does not call for: {order}")
        if bool(order["seats_returned"]) != (status == "refunded" and bool(order["seats_counted"])):
            found.append(f"gave back seats that its state does not call for: {order}")
    if status == "paid" and order["payment"] is not None:
        carrying = [p for p in books.payments if p["order_id"] == order["id"] and p["payment_key"] == order["payment"]]
        if not carrying or carrying[0]["role"] != "accepted":
            found.append(f"is paid by a payment that is not known as accepted: {order}, {carrying}")
        elif carrying[0]["refunded_minor"] >= carrying[0]["amount_minor"]:
            found.append(f"is paid by money that went back: {order}, {carrying}")
    found += _unpaid(order, books)
    if any(off["order_id"] == order["id"] and not off["is_settled"] for off in books.offs):
        found.append(f"counters could not follow: {order}, {books.offs}")
    return found


def _unpaid(order: Row, books: Books) -> list[str]:
    if order["status"] in {"paid", "cancelled"}:
        return []
    found = [f"is not paid, and a payment of it stands: {order}, {p}" for p in books.payments if _stands_for(p, order)]
    if _has_seats(order) or _has_use(order):
        found.append(f"is counted, and not paid: {order}")
    return found


def _stands_for(payment: Row, order: Row) -> bool:
    mine = payment["order_id"] == order["id"] and payment["role"] in {"accepted", "duplicate"}
    return mine and payment["refunded_minor"] < payment["amount_minor"]


def _money(books: Books, world: World, tasks: Sequence[str]) -> list[str]:
    """What went back of each payment is what Stripe told, however often and in whatever order."""
    found = []
    told = sorted((FACTS & set(tasks)) | set(world.facts))
    for event_name in ("payment", "second"):
        if event_name not in world.events:
            continue
        key = world.events[event_name].payment_key
        mine = [name for name in told if world.events[name].payment_key == key]
        away = min(PRICE, _gone(mine) + (PRICE if "dispute" in mine else 0))
        if event_name == "payment" and "give_money_back" in tasks:
            away = (
                max(away, PRICE) if any(r["stripe_refund_id"].startswith("re_refund-") for r in books.refunds) else away
            )
        known = next((p for p in books.payments if p["payment_key"] == key), None)
        refunded = 0 if known is None else known["refunded_minor"]
        if event_name == "second" and "give_duplicate_back" in tasks:
            continue
        if refunded != away:
            found.append(f"of payment {key} {away} went back, and the books say {known}")
        if known is None and event_name in tasks:
            found.append(f"payment {key} is nowhere in the books")
    lapses = world.name == "expired" or {"expired", "failed"} & set(tasks)
    found += [
        f"was paid while it held its seats, and got none: {p}"
        for p in books.payments
        if p["role"] == "sold_out" and not lapses
    ]
    expired_by = {row["stripe_event_id"] for row in books.expiries if row["order_id"] == ORDER} & _OWN_CAUSES
    if expired_by and any(p["order_id"] == ORDER for p in books.payments) and world.name == "open":
        found.append(f"its session was paid, and its hold given back ({', '.join(expired_by)})")
    for order in books.orders:
        carrying = next((p for p in books.payments if p["payment_key"] == order["payment"]), None)
        if carrying is not None and order["refunded_amount"] * 100 != carrying["refunded_minor"]:
            found.append(f"refunded amount is not that of its payment: {order}, {carrying}")
    return found


def _gone(names: Sequence[str]) -> int:
    return max(sum(PARTS.get(name.removesuffix("_second"), 0) for name in names), PRICE if "charge" in names else 0)


def _new_orders(books: Books, tasks: Sequence[str], outcomes: Sequence[str], killed: int) -> list[str]:
    """As many new orders wait as buyers were told of; a double click makes one, and so do two visits of a buyer.

    A checkout whose connection ends may leave an order that nobody was told of: it holds its seats until its time ends.
    """
    new = [order for order in books.orders if order["id"] > OTHER_ORDER and order["status"] in {*_WAITS, "paid"}]
    told = [name for name, outcome in zip(tasks, outcomes, strict=True) if outcome == "order new"]
    wanted = len(told) - sum(max(told.count(name) - 1, 0) for name in ("click", "back", "back_same"))
    least = wanted - (1 if {"back", "back_same"} <= set(told) else 0)
    found = []
    if not least <= len(new) <= wanted + killed:
        found.append(f"buyers were told of {wanted} new orders, and there are {len(new)}")
    if "click" in told and not any(key["order_id"] and key["has_reply"] for key in books.keys):
        found.append(f"the reply is not kept for a second click: {books.keys}")
    return found
