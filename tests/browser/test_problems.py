"""What the pages say when something is refused, or away."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from playwright.sync_api import Route, expect

from tests.browser import buying
from tests.browser.conftest import MakeEvent
from tests.browser.shop import Shop
from tests.browser.visitor import Visitor
from tests.sizes import size

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # the first test waits until the shop has started

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.yaml"
CHECKOUT = re.compile("/checkout$")


def codes_of_the_api() -> set[str]:
    """Every error code of the routes that a page calls."""
    document = yaml.safe_load(OPENAPI.read_text())
    found: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part and part["$ref"].startswith("#/components/responses/"):
                look(document["components"]["responses"][part["$ref"].rpartition("/")[2]])
            if isinstance(code := part.get("code"), dict):
                found.update(code.get("enum", [code["const"]] if "const" in code else []))
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    for path, operations in document["paths"].items():
        if not path.startswith("/webhooks/"):
            look(operations)
    return found


@pytest.mark.full
def test_every_code_of_the_api_has_words(visitor: Visitor) -> None:
    codes = codes_of_the_api()
    assert {"held", "code_expired", "invalid_token", "try_again"} <= codes
    visitor.open("/")
    advice = visitor.page.evaluate(
        """async (codes) => {
            const { inWords } = await import("/storefront/problems.js");
            return Object.fromEntries(codes.map((code) => [code, inWords({ code, message: "x" }).advice]));
        }""",
        sorted(codes),
    )
    # A page of this shop always sends JSON.
    general = visitor.page.evaluate(
        "async () => (await import('/storefront/problems.js')).inWords({ code: 'nobody knows' }).advice"
    )
    assert {code for code, words in advice.items() if words == general} == {"internal_error", "unsupported_media_type"}


# As API Gateway says it itself, and as the shop does.
ANSWERS: Final = [
    (429, {}, {"message": "Too Many Requests"}, "too_many_requests"),
    (503, {"Retry-After": "2"}, {"success": False, "error": "Busy.", "code": "try_again"}, "try_again"),
    (503, {}, {"message": "Service Unavailable"}, "try_again"),
    (
        502,
        {},
        {"success": False, "error": "Stripe is away.", "code": "payment_provider_error"},
        "payment_provider_error",
    ),
    (500, {}, {"message": "Internal Server Error"}, "internal_error"),
]


@pytest.mark.parametrize(("status", "headers", "body", "code"), size(ANSWERS[:1], ANSWERS))
def test_what_passes_can_be_tried_again(
    visitor: Visitor,
    shop: Shop,
    make_event: MakeEvent,
    status: int,
    headers: dict[str, str],
    body: dict[str, Any],
    code: str,
) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    visitor.expected = {status}
    keys: list[str | None] = []

    def refuse_once(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) > 1:
            route.continue_()
            return
        route.fulfill(status=status, headers={"Content-Type": "application/json"} | headers, body=json.dumps(body))

    page.route(CHECKOUT, refuse_once)
    buying.fill_in(page, event)
    buying.go_on(page)
    alert = page.get_by_role("alert")
    expect(alert).to_have_attribute("data-code", code)
    expect(alert).to_contain_text("Nothing was charged")
    alert.get_by_role("button", name=re.compile("^Try again$")).click()
    buying.session_id(page)
    assert len(set(keys)) == 1  # the same attempt: an answer that was lost made no second order
    assert len(shop.orders(event)) == 1


@pytest.mark.full
def test_an_email_address_is_asked_for(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    buying.fill_in(page, event, email="nobody")
    buying.go_on(page)
    expect(page.get_by_role("alert")).to_have_text("Enter your email address, as name@example.com.")
    expect(page.get_by_label("Email")).to_be_focused()
    assert shop.orders(event) == []


@pytest.mark.full
def test_a_sign_in_that_ran_out_never_makes_a_guests_order(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event, page = make_event(("Standard", "25.00", 10)), visitor.page
    buying.sign_in(page)
    spoil = """(parts) => {
        const kept = JSON.parse(localStorage.getItem("cachao.sign-in"));
        for (const part of parts) kept[part] += "x";
        localStorage.setItem("cachao.sign-in", JSON.stringify(kept));
    }"""
    visitor.expected = {400, 401}
    # The token is refused: a new one is fetched, and the order is the account's.
    page.evaluate(spoil, ["idToken"])
    buying.order(page, event, email=None)
    [made] = shop.orders(event)
    assert made["cognito_sub"] is not None
    # So is the sign-in itself: nothing is ordered.
    other = make_event(("Standard", "25.00", 10))
    page.goto("/")
    page.evaluate(spoil, ["idToken", "refreshToken"])
    buying.fill_in(page, other, email=None)
    buying.go_on(page)
    expect(page.locator("[role=alert][data-code=invalid_token]")).to_be_visible()
    expect(page.get_by_role("alert").get_by_role("link", name="Sign in")).to_be_visible()
    assert shop.orders(other) == []


@pytest.mark.full
def test_a_wrong_password_is_told(visitor: Visitor) -> None:
    visitor.expected = {400}
    page = visitor.page
    visitor.open("/sign-in?then=https://elsewhere.example/")
    page.get_by_role("button", name="Fill that in").click()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Incorrect username or password.")
    page.get_by_role("button", name="Fill that in").click()
    page.get_by_role("button", name="Sign in").click()
    # Another site is nowhere to go afterwards.
    expect(page.get_by_role("heading", name="What\N{RIGHT SINGLE QUOTATION MARK}s on")).to_be_visible()


@pytest.mark.full
def test_an_address_that_names_no_order(visitor: Visitor, make_event: MakeEvent) -> None:
    event = make_event(("Standard", "25.00", 10))
    visitor.expected = {404}
    visitor.open(f"/events/{event.id}?payment=success&session_id=cs_test_nobody")
    expect(visitor.page.get_by_text("This address names no order of ours.")).to_be_visible()
