"""The operators' page: a failure is seen, explained and repaired there; what strangers write does nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from playwright.sync_api import Locator, Page, expect

from local.demo.envelopes import session_event
from tests.browser.conftest import MakeEvent, NewVisitor
from tests.browser.shop import Shop
from tests.browser.test_looks import PHONE, WIDE, look_at
from tests.browser.visitor import Visitor
from tests.local.conftest import environment_for_python
from tests.sizes import size

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # the first test waits until the shop has started

PAGE: Final = "/operations/"
NASTY: Final = "<img src=x onerror=alert(1)><script>alert(1)</script>"


def check_out(shop: Shop, event_id: int, ticket_id: int) -> tuple[str, str]:
    """Order as a frontend does: the order's number and its session."""
    request = urllib.request.Request(
        f"{shop.url}/events/{event_id}/tickets/{ticket_id}/checkout",
        data=json.dumps({"email": f"guest-{event_id}@example.com"}).encode(),
        headers={"Content-Type": "application/json", "Origin": shop.url},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        made = json.load(reply)
    return str(made["order_id"]), str(made["session_id"])


def aws(shop: Shop, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=shop.addresses["aws_endpoint_url"],
        region_name=shop.addresses["region"],
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def paid(shop: Shop, order_id: str, **session: object) -> dict[str, Any]:
    """The event that an order was paid, as EventBridge has it."""
    [order] = shop.query("SELECT * FROM ticket_orders WHERE id = %s", order_id)
    event = session_event(order, "checkout.session.completed", "stripe.com", **session)
    return {**event, "id": str(uuid.uuid4())}


def mismatched(shop: Shop, make_event: MakeEvent) -> str:
    """An order that was paid with another amount than it says: somebody changed it meanwhile."""
    event = make_event(("Standard", "25.00", 9))
    order_id, session = check_out(shop, event.id, event.tickets[0])
    shop.query("UPDATE ticket_orders SET total_amount = 26, asked_minor = 2600 WHERE id = %s", order_id)
    shop.stripe.call("pay", session_id=session)
    return order_id


def forget_alerts(shop: Shop) -> None:
    """Only the first failure with an error in an hour is mailed at once: let the next one be the first."""
    dynamodb = aws(shop, "dynamodb")
    [table] = dynamodb.list_tables()["TableNames"]
    for item in dynamodb.scan(TableName=table, ProjectionExpression="alert_key")["Items"]:
        dynamodb.delete_item(TableName=table, Key=item)


def row_of(page: Page, order_id: str) -> Locator:
    return page.locator(".spacer .row", has=page.get_by_text(f"order {order_id}", exact=True)).first


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_wrong_amount_is_seen_explained_and_repaired(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    page = visitor.page
    visitor.open(PAGE)
    expect(page.get_by_role("heading", name="Executions")).to_be_attached()
    forget_alerts(shop)
    order_id = mismatched(shop, make_event)
    row = row_of(page, order_id)
    # It comes by itself, and is seen to have failed.
    expect(row).to_contain_text("AmountMismatch")
    row.get_by_role("link").click()
    expect(page.locator(".wrong")).to_contain_text(
        f"LookUpOrder failed with AmountMismatch: Order {order_id} costs 26.00"
    )
    expect(page.locator("[data-state=LookUpOrder]")).to_have_class("state caught")
    step = page.locator(".steps > li[data-step=LookUpOrder]")
    page.locator("[data-state=LookUpOrder]").click()
    expect(step.locator("details").first).to_have_attribute("open", "")
    expect(step).to_contain_text("Try 1 at ")

    page.get_by_role("link", name="Alerts").click()
    mail = page.locator("article", has_text=f"AmountMismatch - order {order_id}")
    expect(mail).to_contain_text("Was money taken: yes, 25.00 EUR")
    mail.get_by_role("link", name="the execution").click()

    press(page, "Correct the order's amount …")
    page.get_by_label("What it costs in all").fill("25.00")
    press(page, "Go on")
    expect(page.get_by_role("dialog")).to_contain_text(f"Correct order {order_id} in cachao-local")
    expect(page.get_by_role("dialog").get_by_role("table")).to_contain_text("26.00")
    press(page, "Yes, do it")
    expect(page.get_by_role("dialog")).to_contain_text("To undo it")
    press(page, "Close")

    press(page, "Replay …")
    expect(page.get_by_role("dialog")).to_contain_text("Start 1 new execution in cachao-local")
    press(page, "Yes, do it")
    expect(page.get_by_role("dialog")).to_contain_text("OrderPaid")
    press(page, "Close")
    expect(page.locator(".row", has_text="repaired").filter(has_text=f"order {order_id}")).to_be_visible()
    page.locator(".detail dd").get_by_role("link", name=order_id, exact=True).click()
    expect(page.get_by_role("heading", name=f"Order {order_id}")).to_be_visible()
    expect(page.locator("table.facts")).to_contain_text("paid since")
    expect(page.locator("table", has=page.get_by_text("replay-1-")).last).to_be_visible()


def test_a_dead_letter_is_replayed(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event = make_event(("Standard", "25.00", 9))
    order_id, session = check_out(shop, event.id, event.tickets[0])
    aws(shop, "sqs").send_message(
        QueueUrl=shop.addresses["dead_letter_queue_url"],
        MessageBody=json.dumps(paid(shop, order_id)),
        MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}},
    )
    page = visitor.page
    visitor.open(f"{PAGE}#/dead-letters")
    expect(page.locator("article")).to_contain_text("NO_PERMISSIONS")
    expect(page.get_by_role("link", name="Dead letters")).to_contain_text("1 waiting")
    press(page, "Replay them …")
    press(page, "Go on")
    expect(page.get_by_role("dialog")).to_contain_text("Start an execution for each of them")
    press(page, "Yes, do it")
    expect(page.get_by_role("dialog")).to_contain_text("OrderPaid")
    press(page, "Close")
    expect(page.get_by_text("The queue is empty")).to_be_visible()
    shop.wait_for_status(session, "paid")


def test_what_strangers_wrote_is_text(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    event = make_event((NASTY, "25.00", 9))
    shop.query("UPDATE events SET name = %s WHERE id = %s", NASTY, event.id)
    order_id, _ = check_out(shop, event.id, event.tickets[0])
    nasty = paid(shop, order_id, note=NASTY, currency=NASTY)
    nasty["detail"]["id"] = NASTY
    started = aws(shop, "stepfunctions").start_execution(
        stateMachineArn=shop.addresses["state_machine_arn"], name=f"nasty-{uuid.uuid4()}", input=json.dumps(nasty)
    )
    name = started["executionArn"].rpartition(":")[2]
    page = visitor.page
    page.on("dialog", lambda dialog: visitor.problems.append(f"a dialog: {dialog.message}"))
    visitor.open(f"{PAGE}#/executions/{name}")
    expect(page.locator(".detail .state").first).to_have_text("failed")
    page.get_by_text("The event, as the execution got it").click()
    expect(page.locator(".detail > .body > div > .json pre")).to_contain_text(NASTY)
    for path, there in (("orders", "table.listed"), (f"orders/{order_id}", "table.facts"), ("alerts", ".mail, .quiet")):
        visitor.open(f"{PAGE}#/{path}")
        expect(page.locator(f"main {there}").first).to_be_visible()
    expect(page.locator("img, main script")).to_have_count(0)


@pytest.mark.parametrize("width", size([PHONE], [PHONE, WIDE]))
def test_every_view(new_visitor: NewVisitor, shop: Shop, make_event: MakeEvent, *, width: int) -> None:
    visitor = new_visitor(width=width)
    page, found = visitor.page, []
    order_id = mismatched(shop, make_event)
    visitor.open(PAGE)
    row = row_of(page, order_id)
    expect(row).to_contain_text("AmountMismatch")
    found += look_at(page, "executions")
    row.get_by_role("link").click()
    expect(page.locator("[data-state=LookUpOrder]")).to_be_visible()
    page.locator(".steps > li summary").first.click()
    found += look_at(page, "an execution")
    press(page, "Replay …")
    expect(page.get_by_text("Start 1 new execution")).to_be_visible()
    found += look_at(page, "a question")
    press(page, "No")
    press(page, "Replay for another order …")
    found += look_at(page, "a form")
    page.keyboard.press("Escape")
    for path, there in (("orders", "table"), (f"orders/{order_id}", "table.facts"), ("alerts", ".mail, p.quiet")):
        visitor.open(f"{PAGE}#/{path}")
        expect(page.locator(there).first).to_be_visible()
        found += look_at(page, path)
    visitor.open(f"{PAGE}#/dead-letters")
    expect(page.locator("main .answer")).not_to_contain_text("Looking")
    found += look_at(page, "dead letters")
    visitor.open(f"{PAGE}#/doctor")
    expect(page.locator(".findings li").nth(10)).to_be_visible()
    expect(page.get_by_role("button", name="Look again")).to_be_enabled()
    found += look_at(page, "doctor")
    assert found == []


def test_by_keyboard_alone(visitor: Visitor, shop: Shop, make_event: MakeEvent) -> None:
    order_id = mismatched(shop, make_event)
    page, keys = visitor.page, visitor.page.keyboard
    visitor.open(PAGE)
    expect(row_of(page, order_id)).to_contain_text("AmountMismatch")
    page.locator("#filter").focus()
    keys.type(order_id)
    page.locator(".scroller").focus()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.locator(".wrong")).to_contain_text(f"Order {order_id} costs 26.00")
    expect(page.locator(".row.current")).to_contain_text(f"order {order_id}")
    page.get_by_role("button", name="Replay …", exact=True).focus()
    keys.press("Enter")
    expect(page.get_by_role("button", name="Yes, do it")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")  # No
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Replay …", exact=True)).to_be_focused()


@pytest.fixture
def own_page(shop: Shop, tmp_path: Path) -> Iterator[str]:
    """The address that `cachao page` prints in a process of its own."""
    (tmp_path / ".local").symlink_to(shop.running.directory, target_is_directory=True)
    process = subprocess.Popen(
        [sys.executable, "-c", "from cachao.cli import main; main()", "page", "--local", "--json"],
        cwd=tmp_path,
        env=environment_for_python(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield str(json.loads(process.stdout.readline())["url"])
    process.kill()
    process.communicate()


def test_an_operators_own_page_opens_once_and_only_reads(own_page: str, new_visitor: NewVisitor) -> None:
    first, second = new_visitor(), new_visitor()
    first.open(own_page)
    expect(first.page.locator("#stack")).to_contain_text("read-only")
    expect(first.page).to_have_url(re.compile(r"^[^#]*(#/executions)?$"))  # the token is gone from the address
    expect(first.page.locator(".total")).not_to_have_text("Looking …")
    expect(first.page.get_by_role("button", name="Replay failed …")).to_have_count(0)
    first.page.reload()
    expect(first.page.locator("#stack")).to_contain_text("read-only")
    second.expected = {401}
    second.open(own_page)
    expect(second.page.get_by_text("That address was used already.")).to_be_visible()
    expect(second.page.locator(".row")).to_have_count(0)
