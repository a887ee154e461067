"""Buying a ticket in the browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeEvent
from tests.browser.shop import Event, Shop
from tests.browser.visitor import PATIENCE_MS, Visitor

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)

GOOD_CARD = "4242 4242 4242 4242"


def order(page: Page, event: Event, *, email: str = "guest@example.com", quantity: int = 1) -> None:
    """Fill in the form of an event's page, and go to the payment."""
    page.goto(f"/events/{event.id}")
    page.get_by_label("How many").select_option(str(quantity))
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile("/c/pay/"))


def pay(page: Page, card: str = GOOD_CARD) -> None:
    """Pay at Stripe's stand-in."""
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_role("button", name=re.compile("^Pay ")).click()


def test_a_guest_buys_two_tickets(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    order(page, event, quantity=2)
    expect(page.get_by_text("€50.00").first).to_be_visible()
    pay(page)
    expect(page.get_by_role("heading", name="Paid. See you there!")).to_be_visible()
    expect(page.get_by_text("2 \N{MULTIPLICATION SIGN} Standard")).to_be_visible()
    [bought] = shop.orders(event)
    assert (bought["status"], bought["quantity"], bought["cognito_sub"]) == ("paid", 2, None)
    code = page.get_by_role("img", name=f"QR code of order {bought['id']}, for the door")
    assert code.evaluate("picture => picture.complete && picture.naturalWidth > 0")
