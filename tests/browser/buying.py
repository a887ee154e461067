"""What a buyer does on the pages, in words of the buyer."""

from __future__ import annotations

import re
from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.shop import Event

GOOD_CARD: Final = "4242 4242 4242 4242"
DECLINED_CARD: Final = "4000 0000 0000 9995"
SLOW_IBAN: Final = "AT32 1904 3002 3547 3204"
PAYMENT_PAGE: Final = re.compile("/c/pay/")
PAID: Final = "Paid. See you there!"


def fill_in(page: Page, event: Event, *, email: str | None = "guest@example.com", quantity: int = 1) -> None:
    """Open an event's page and fill in its form; an e-mail of None is left as it is."""
    page.goto(f"/events/{event.id}")
    page.get_by_label("How many").select_option(str(quantity))
    if email is not None:
        page.get_by_label("Email").fill(email)


def go_on(page: Page) -> None:
    """Press the button of the form."""
    page.get_by_role("button", name="Continue to payment").click()


def order(page: Page, event: Event, *, email: str | None = "guest@example.com", quantity: int = 1) -> str:
    """Order, up to the payment's page; gives the session's id."""
    fill_in(page, event, email=email, quantity=quantity)
    go_on(page)
    return session_id(page)


def session_id(page: Page) -> str:
    """Wait for the payment's page, and give the session that is paid there."""
    page.wait_for_url(PAYMENT_PAGE)
    return page.url.rpartition("/")[2]


def pay(page: Page, card: str = GOOD_CARD) -> None:
    """Pay by card on the payment's page."""
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name").fill("Ada Lovelace")
    press_pay(page)


def pay_by_debit(page: Page) -> None:
    """Pay by a debit that the bank decides later, and see that this is explained."""
    page.get_by_text("SEPA Direct Debit").click()
    page.get_by_label("IBAN").fill(SLOW_IBAN)
    page.get_by_label("Name").fill("Ada Lovelace")
    press_pay(page)
    expect(page.get_by_text("Your bank is working on it.")).to_be_visible()


def press_pay(page: Page) -> None:
    """Press the payment page's button."""
    page.get_by_role("button", name=re.compile("^(Pay|Complete)")).click()


def sign_in(page: Page) -> None:
    """Sign in as the ready user, who is then on the page `My tickets`."""
    page.goto("/sign-in?then=/my-tickets")
    page.get_by_role("button", name="Fill that in").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="My tickets")).to_be_visible()
