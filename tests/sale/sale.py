"""A sale through the local API: everybody comes at once, most walk away, and in the end every seat is sold, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.database.sample_shop import open_sample_shop, query
from local.stack import LocalStack, StackOptions
from tests.balance import Balance
from tests.sale.buyers import Place
from tests.sale.sizes import Size

_PROJECT = Path(__file__).resolve().parents[2]
_MOST_SHOWN = 8

Say = Callable[[str], None]


def run_sale(size: Size, *, seed: int, say: Say) -> Balance:
    """Play a sale, print how it went by `say`, and give what was found in the end."""
    say(f"{size.seats} seats, {size.buyers} buyers, {size.bots} bots; seed {seed}")
    with tempfile.TemporaryDirectory(prefix="cachao-sale-") as folder:
        options = StackOptions.throw_away(
            retry_wait_factor=1.0,
            run_schedules=True,
            # The crowd is a proxy of the shop's own, which says for each buyer where he calls from.
            parameters={"HoldSeconds": str(size.hold_seconds), "TrustedProxies": "127.0.0.1/32"},
        )
        with LocalStack(Path(folder) / ".local", options) as stack:
            shop = open_sample_shop(stack.database_address)
            query(
                stack.database_address, "UPDATE tickets SET max_quantity = %s WHERE id = %s", size.seats, shop.ticket_id
            )
            seen = _play(size, Place(stack.api_url, shop.event_id, shop.ticket_id, size.hold_seconds), seed)
            stack.wait_until_idle(timeout_seconds=size.patience_seconds)
            _report(stack, size, seen, say)
            return _balance(stack, size, seen)


def _play(size: Size, place: Place, seed: int) -> dict[str, Any]:
    # In a process of its own: within this one it would slow down what it asks.
    done = subprocess.run(
        [sys.executable, "-m", "tests.sale.crowd"],
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(_PROJECT), str(_PROJECT / "functions")))},
        input=json.dumps({"size": asdict(size), "place": asdict(place), "seed": seed}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _report(stack: LocalStack, size: Size, seen: dict[str, Any], say: Say) -> None:
    requests = sum(seen["answers"].values())
    say(f"{requests} requests in {seen['seconds']:.0f} s: {requests / seen['seconds']:.0f} a second")
    for answer, count in sorted(seen["answers"].items()):
        say(f"  {count:6} {answer}")
    taken = seen["checkout_seconds"]
    say(f"A checkout took: {_spread(taken)}")
    walked = {kind: seen["kinds"].count(kind) for kind in ("pays", "link", "back", "silence")}
    say(f"Who got a checkout: {walked}")
    by_link, by_silence = _idle(stack, size, dict(seen["left"]))
    say(f"A seat idled after its buyer left by the link: {_spread(by_link)}")
    say(f"A seat idled after its hold had ended: {_spread(by_silence)}")
    for problem in seen["problems"][:_MOST_SHOWN]:
        say(f"  {problem}")


def _idle(stack: LocalStack, size: Size, left: dict[str, float]) -> tuple[list[float], list[float]]:
    """How long seats stood empty, in seconds: after their buyers left by the link, and after their holds ended."""
    rows = query(
        stack.database_address,
        "SELECT o.id, o.created_at, MIN(h.recorded_at) AS back_at FROM ticket_orders o"
        " JOIN order_history h ON h.order_id = o.id AND h.entry = 'expired' WHERE o.status = 'expired' GROUP BY o.id",
    )
    by_link, by_silence = [], []
    for row in rows:
        back_at = row["back_at"].replace(tzinfo=UTC)
        # Nothing is kept of a hold that is over; it is as old as its order, to the second.
        since_end = (back_at - row["created_at"].replace(tzinfo=UTC)).total_seconds() - size.hold_seconds
        if str(row["id"]) in left:
            by_link.append((back_at - datetime.fromtimestamp(left[str(row["id"])], UTC)).total_seconds())
        elif since_end >= 0:  # otherwise it was ended before
            by_silence.append(since_end)
    return sorted(by_link), sorted(by_silence)


def _balance(stack: LocalStack, size: Size, seen: dict[str, Any]) -> Balance:
    balance, address = Balance(), stack.database_address
    [ticket] = query(address, "SELECT sold_quantity, held_quantity FROM tickets WHERE max_quantity = %s", size.seats)
    balance.check("seats sold", ticket["sold_quantity"], size.seats)
    balance.check("seats still held", ticket["held_quantity"], 0)
    orders = query(address, "SELECT id, status, quantity, total_amount, ticket_counted_at FROM ticket_orders")
    paid = [order for order in orders if order["status"] == "paid"]
    balance.check("seats of paid orders", sum(order["quantity"] for order in paid), size.seats)
    balance.check("orders that were paid and are not", _missing(seen["paid"], paid), [])
    balance.check("paid orders of nobody who paid", len(paid) - len(seen["paid"]), 0)
    balance.check("paid orders not counted", sum(order["ticket_counted_at"] is None for order in paid), 0)
    taken = query(address, "SELECT COALESCE(SUM(amount_minor), 0) AS minor FROM order_payments")[0]["minor"]
    balance.check("money taken, in cents", int(taken), int(100 * sum(order["total_amount"] for order in paid)))
    balance.check("alerts", [alert.subject for alert in stack.alerts()][:_MOST_SHOWN], [])
    balance.check("buyers and bots that were not finished in time", seen["unfinished"], 0)
    balance.check("what buyers should not have seen", len(seen["problems"]), 0)
    return balance


def _missing(seen: Sequence[str], paid: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(set(seen) - {str(order["id"]) for order in paid})


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    p99 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
    return f"median {seconds[len(seconds) // 2]:.2f} s, p99 {p99:.2f} s, of {len(seconds)}"
