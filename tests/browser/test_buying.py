"""Buying tickets in the browser, to the end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import buying
from tests.browser.conftest import MakeEvent
from tests.browser.shop import Shop
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # the first test waits until the shop has started


def test_a_guest_buys_two_tickets(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    buying.order(page, event, quantity=2)
    expect(page.get_by_text("€50.00").first).to_be_visible()
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    expect(page.get_by_text("2 \N{MULTIPLICATION SIGN} Standard")).to_be_visible()
    [bought] = shop.orders(event)
    assert (bought["status"], bought["quantity"], bought["cognito_sub"]) == ("paid", 2, None)
    code = page.get_by_role("img", name=f"QR code of order {bought['id']}, for the door")
    expect(code).to_have_js_property("complete", value=True)
    assert code.evaluate("picture => picture.naturalWidth > 0")


def test_who_is_signed_in_finds_the_ticket_in_my_tickets(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    buying.sign_in(page)
    buying.order(page, event, email=None)  # the account's own is there already
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="My tickets").click()
    [bought] = shop.orders(event)
    assert bought["cognito_sub"] is not None
    ticket = page.locator(f".my-ticket[data-order='{bought['id']}']")
    expect(ticket.get_by_role("heading", name=event.name)).to_be_visible()
    expect(ticket.get_by_role("img", name=f"QR code of order {bought['id']}, for the door")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_code_lowers_the_price(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10), code="TENOFF"), visitor.page
    visitor.expected = {409}
    buying.fill_in(page, event)
    field = page.get_by_label("Discount code")
    field.fill("TENOF")
    buying.go_on(page)
    expect(field).to_have_accessible_description(
        re.compile("^This discount code does not exist .* Nothing was ordered")
    )
    expect(field).to_be_focused()
    assert shop.orders(event) == []
    field.fill(" tenoff ")
    buying.go_on(page)
    buying.session_id(page)
    expect(page.get_by_text("€22.50").first).to_be_visible()
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    expect(page.get_by_text("€22.50")).to_be_visible()


def test_a_declined_card_then_a_good_one(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    visitor.expected = {402}
    buying.order(page, event)
    buying.pay(page, buying.DECLINED_CARD)
    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    assert [order["status"] for order in shop.orders(event)] == ["paid"]


def test_a_delayed_payment_is_explained_and_comes(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    session = buying.order(page, event)
    buying.pay_by_debit(page)
    expect(page.get_by_text("must not pay again")).to_be_visible()
    # Who comes back before the result is told the same.
    visitor.open(f"/events/{event.id}")
    expect(page.get_by_text("Your bank is working on it.")).to_be_visible()
    page.go_back()
    shop.stripe.settle(session)
    shop.wait_for_status(session, "paid")
    page.reload()
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()


@pytest.mark.full
def test_a_debit_that_the_bank_refuses(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 1)), visitor.page
    session = buying.order(page, event)
    buying.pay_by_debit(page)
    shop.stripe.settle(session, succeeded=False)
    shop.wait_for_status(session, "failed")
    page.reload()
    expect(page.get_by_role("heading", name="The payment did not succeed")).to_be_visible()
    page.get_by_role("link", name="Back to the event").click()
    expect(page.get_by_text("Only 1 left")).to_be_visible()


@pytest.mark.full
def test_a_free_ticket(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Entry", "0.00", 10)), visitor.page
    buying.order(page, event)
    expect(page.get_by_role("heading", name="Your free order at Cachao Tickets")).to_be_visible()
    buying.press_pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    assert [order["status"] for order in shop.orders(event)] == ["paid"]
