"""How many seats of a sale of 1,000 one anonymous client can block, whatever it says of itself."""

from __future__ import annotations

import pytest

from tests.factories import create_ticket, row_of
from tests.handlers.api.conftest import Api, forget
from ticketing.database import Database

SEATS, REQUESTS, PER_ORDER = 1000, 100, 10
# One customer has one address, or a network of which he may take another address for each request.
IPV4, IPV6 = "203.0.113.7", "2001:db8:1:2:{:x}::1"


@pytest.mark.parametrize(
    ("price", "addresses", "bound", "blocked"),
    [
        ("40.00", IPV4, 40, 40),
        ("40.00", IPV6, 40, 40),
        # Nobody has to pay for them: a script completes each order, and goes on.
        ("0.00", IPV4, 40, 40),
        ("40.00", IPV4, 0, SEATS),
    ],
    ids=["IPv4", "IPv6", "free tickets, completed by script", "control: no bound"],
)
def test_what_one_client_blocks_of_a_sale(
    api: Api,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    price: str,
    addresses: str,
    bound: int,
    blocked: int,
) -> None:
    monkeypatch.setenv("MAX_HELD_PER_ADDRESS", str(bound))
    forget()
    ticket_id = create_ticket(database, max_quantity=SEATS, price=price)
    event_id = row_of(database, "tickets", ticket_id)["event_id"]
    codes = set()
    for number in range(REQUESTS):
        reply = api.checkout(
            event_id,
            ticket_id,
            quantity=PER_ORDER,
            email=f"bot{number}@example.com",
            source_ip=addresses.format(number),
            headers={"user-agent": f"Browser/{number}", "x-forwarded-for": f"198.51.100.{number}"},
        )
        codes.add(reply.code if reply.status != 200 else "ordered")
        if reply.status == 200 and price == "0.00":
            complete(database, int(reply.body["order_id"]), ticket_id)
    ticket = row_of(database, "tickets", ticket_id)
    assert ticket["held_quantity"] + ticket["sold_quantity"] == blocked
    assert codes == ({"ordered", "too_many_held"} if blocked < SEATS else {"ordered"})


def complete(database: Database, order_id: int, ticket_id: int) -> None:
    """What an order without anything to pay becomes a moment later."""
    with database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'paid', held_quantity = 0 WHERE id = %s", order_id)
        tx.change(
            "UPDATE tickets SET held_quantity = held_quantity - %s, sold_quantity = sold_quantity + %s WHERE id = %s",
            PER_ORDER,
            PER_ORDER,
            ticket_id,
        )
