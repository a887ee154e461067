"""Every page in light and dark, wide and on a phone: nothing for axe-core to find, nothing that sticks out sideways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

import axe_playwright_python
import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.browser import buying
from tests.browser.conftest import MakeEvent, NewVisitor
from tests.browser.shop import Shop
from tests.sizes import size

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # the first test waits until the shop has started

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.yaml"
PHONE, WIDE = 375, 1280
AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
ALL: Final = {"resultTypes": ["violations"]}
# Dark differs by its colours alone.
SCHEMES: Final[dict[Literal["light", "dark"], dict[str, list[str]]]] = {
    "dark": ALL | {"runOnly": ["color-contrast"]},
    "light": ALL,
}
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs="
# Pages and files of the storefront's own; all else that it asks this address for must be the public API.
OWN = re.compile(r"/|/events/\d+|/my-tickets|/sign-in|/storefront/[\w.-]+")


def look_at(page: Page, name: str) -> list[str]:
    """What is wrong with how a page is now, in light and in dark."""
    page.wait_for_load_state("networkidle")
    found = []
    page.evaluate(AXE)
    for scheme, rules in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate("async rules => (await axe.run(rules)).violations", rules)
        found += [f"{name}, {scheme}: {one['id']}: {one['nodes'][0]['target']}" for one in violations]
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found + ([f"{name}: {sideways} pixels stick out sideways"] if sideways > 0 else [])


@pytest.mark.parametrize("width", size([PHONE], [PHONE, WIDE]))
def test_every_page(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent, *, width: int) -> None:
    visitor = new_visitor(width=width)
    visitor.expected = {402, 409}
    page = visitor.page
    asked: set[tuple[str, str]] = set()
    page.on("request", lambda request: asked.add((request.method, request.url)))
    event = make_event(
        ("A ticket whose name is longer than usual", "25.00", 9), ("Gone", "30.00", 0), ("Free", "0.00", None)
    )
    shop.query("UPDATE tickets SET image_url = %s WHERE id = %s", PICTURE, event.tickets[0])
    found = []
    visitor.open("/")
    expect(page.get_by_role("heading", name=event.name)).to_be_visible()
    found += look_at(page, "events")
    visitor.open(f"/events/{event.id}")
    expect(page.locator("img.picture")).to_have_js_property("naturalWidth", 1)
    found += look_at(page, "event")
    visitor.open("/sign-in")
    found += look_at(page, "sign-in")
    buying.sign_in(page)
    buying.fill_in(page, event, email=None)
    page.locator(f"input[value='{event.tickets[0]}']").check()
    page.get_by_label("Discount code").fill("NONE")
    buying.go_on(page)
    expect(page.get_by_label("Discount code")).to_be_focused()
    found += look_at(page, "a refused code")
    page.get_by_label("Discount code").fill("")
    buying.go_on(page)
    buying.session_id(page)
    found += look_at(page, "payment")
    fields = [page.get_by_label(name).bounding_box() for name in ("Expiry", "Security code")]
    assert len({field["y"] for field in fields if field}) == 1  # in line
    buying.pay(page, buying.DECLINED_CARD)
    expect(page.get_by_role("alert")).to_be_visible()
    found += look_at(page, "a declined card")
    page.go_back()
    page.go_back()
    expect(page.get_by_role("link", name="Go on to payment")).to_be_visible()
    found += look_at(page, "back from the payment")
    page.get_by_role("link", name="Go on to payment").click()
    buying.pay(page)
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    found += look_at(page, "paid")
    visitor.open("/my-tickets")
    expect(page.get_by_role("heading", name=event.name)).to_be_visible()
    found += look_at(page, "my tickets")
    assert found == []
    assert not_public({(method, url.removeprefix(shop.url)) for method, url in asked if url.startswith(shop.url)}) == []


def not_public(asked: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a page asked the shop for that is neither a file of the storefront's own nor a route of openapi.yaml."""
    routes = [
        (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)))
        for path, operations in yaml.safe_load(OPENAPI.read_text())["paths"].items()
        for method in operations
    ]
    paths = {(method, url.partition("?")[0]) for method, url in asked}
    assert ("GET", "/orders") in paths
    return sorted(
        (method, path)
        for method, path in paths
        if not OWN.fullmatch(path) and not any(method == known and route.fullmatch(path) for known, route in routes)
    )


@pytest.mark.full
def test_a_ticket_is_bought_by_keyboard_alone(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent) -> None:
    page = new_visitor().page
    event = make_event(("Standard", "25.00", 9), ("Balcony", "40.00", 9))
    page.goto(f"/events/{event.id}")
    expect(page.get_by_role("radio", name="Balcony")).to_be_checked()
    keys = page.keyboard
    tab_to(page, "input[type=radio]")
    keys.press("ArrowDown")
    expect(page.get_by_role("radio", name="Standard")).to_be_checked()
    tab_to(page, "#quantity")
    keys.type("2")
    tab_to(page, "#email")
    keys.type("keys@example.com")
    keys.press("Enter")
    buying.session_id(page)
    for field, text in (("card_number", "4242424242424242"), ("expiry", "12/34"), ("cvc", "123"), ("name", "Ada")):
        tab_to(page, f"#{field}")
        keys.type(text)
    keys.press("Enter")
    expect(page.get_by_role("heading", name=buying.PAID)).to_be_visible()
    assert [(order["quantity"], order["status"]) for order in shop.orders(event)] == [(2, "paid")]


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not lead to {selector}")
