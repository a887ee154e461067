"""Clicking twice, going back, cancelling, two browsers at once: each makes no more orders than it should."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import buying
from tests.browser.conftest import MakeEvent, NewVisitor
from tests.browser.shop import Shop
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # the first test waits until the shop has started


def test_a_double_click_makes_one_order(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    buying.fill_in(page, event)
    page.get_by_role("button", name="Continue to payment").dblclick()
    buying.session_id(page)
    assert len(shop.orders(event)) == 1


def test_the_back_button_leads_to_the_same_checkout(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    session = buying.order(page, event, quantity=2)
    page.go_back()
    expect(page.get_by_text("2 tickets for €50.00: still held for you")).to_be_visible()
    page.get_by_role("link", name="Go on to payment").click()
    assert buying.session_id(page) == session
    # The same wish again is the same checkout, too.
    page.go_back()
    buying.fill_in(page, event, quantity=2)
    buying.go_on(page)
    assert buying.session_id(page) == session
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    assert len(shop.orders(event)) == 1
    # Who comes again later is told what he has.
    visitor.open(f"/events/{event.id}")
    expect(page.get_by_role("link", name="Show them")).to_have_count(0)  # forgotten by this browser once it was shown


def test_cancelling_gives_the_seats_back(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 2)), visitor.page
    first = buying.order(page, event, quantity=2)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("You cancelled. Nothing was paid.")).to_be_visible()
    expect(page.get_by_text("Only 2 left")).to_be_visible()
    assert buying.order(page, event, quantity=2) != first
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    assert [order["status"] for order in shop.orders(event)] == ["expired", "paid"]


def test_two_browsers_race_for_the_last_seat(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent) -> None:
    event = make_event(("Standard", "25.00", 1))
    racers = [new_visitor(), new_visitor()]
    for number, racer in enumerate(racers):
        racer.expected = {409}
        buying.fill_in(racer.page, event, email=f"racer{number}@example.com")
    for racer in racers:  # without waiting for what comes of it
        racer.page.evaluate("setTimeout(() => document.querySelector('form button.go').click())")
    for racer in racers:
        racer.page.locator("[role=alert][data-code=held]").or_(racer.page.get_by_label("Card number")).wait_for()
    [winner] = [racer for racer in racers if buying.PAYMENT_PAGE.search(racer.page.url)]
    [loser] = [racer for racer in racers if racer is not winner]
    expect(loser.page.get_by_role("button", name="Try again in")).to_be_disabled()
    expect(loser.page.locator(".ticket .left")).to_have_text("The last ones are being paid for")
    buying.pay(winner.page)
    expect(winner.page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    loser.page.reload()
    expect(loser.page.get_by_text("Sold out")).to_be_visible()
    assert [order["status"] for order in shop.orders(event)] == ["paid"]


def test_sold_out_while_somebody_looks(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent) -> None:
    event = make_event(("Standard", "25.00", 1))
    slow, quick = new_visitor(), new_visitor()
    slow.expected = {409}
    buying.fill_in(slow.page, event, email="slow@example.com")
    buying.order(quick.page, event, email="quick@example.com")
    buying.pay(quick.page)
    expect(quick.page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    buying.go_on(slow.page)
    expect(slow.page.locator("[role=alert][data-code=sold_out]")).to_be_visible()
    expect(slow.page.locator(".ticket .left")).to_have_text("Sold out")
    expect(slow.page.get_by_role("button", name="Continue to payment")).to_be_disabled()
    assert len(shop.orders(event)) == 1


@pytest.mark.full
def test_fewer_are_left_than_wanted(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent) -> None:
    event = make_event(("Standard", "25.00", 3))
    slow, quick = new_visitor(), new_visitor()
    slow.expected = {409}
    buying.fill_in(slow.page, event, email="slow@example.com", quantity=3)
    buying.order(quick.page, event, email="quick@example.com")
    buying.go_on(slow.page)
    slow.page.get_by_role("button", name="Take the 2 tickets left").click()
    buying.session_id(slow.page)
    assert [order["quantity"] for order in shop.orders(event)] == [1, 2]


@pytest.mark.full
def test_who_comes_back_too_late_is_told(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 1)), visitor.page
    session = buying.order(page, event)
    shop.expire(session)
    shop.wait_for_status(session, "expired")
    page.go_back()
    expect(page.get_by_text("Your last order was not paid, and nothing was charged.")).to_be_visible()
    expect(page.get_by_text("Only 1 left")).to_be_visible()
