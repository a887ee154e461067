"""The operators' page with 500 executions that run: quick, and small in the browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from cachao.aws.environment import local_environment
from cachao.page.application import Page
from cachao.page.guard import Guard
from cachao.page.server import PageServer
from local.aws.cloud import LocalCloud
from tests.browser.visitor import Visitor
from tests.factories import envelope

pytestmark = [pytest.mark.full, pytest.mark.slow, pytest.mark.timeout(600)]

RUNNING: Final = 500
# What an update may take in the browser, from the server's answer to the changed elements.
UPDATE_MS: Final = 100
BROWSER_MB: Final = 200


@pytest.fixture
def held(cloud: LocalCloud) -> Iterator[Callable[[int], None]]:
    """Start so many executions, which then run until the test ends."""
    over = threading.Event()

    def wait(invocation: Any, proceed: Callable[[Any], Any]) -> Any:
        over.wait(300)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(wait)
    machine, client = cloud.deployment.outputs["StateMachineArn"], cloud.client("stepfunctions")
    started = iter(range(100_000))

    def start(number: int) -> None:
        for _ in range(number):
            event = envelope("checkout.session.expired", {"id": "cs_test_1", "object": "checkout.session"})
            name = f"held-{next(started)}"
            client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(event))

    yield start
    over.set()
    cloud.wait_until_idle(timeout_seconds=300)


@pytest.fixture
def address(cloud: LocalCloud, tmp_path: Path) -> Iterator[str]:
    where = {"aws_endpoint_url": cloud.endpoint_url, "region": cloud.region, "logs_dir": str(tmp_path)}
    page = Page(local_environment(where), Guard(sessions=None), changes=False)
    server = PageServer(page)
    server.start()
    yield server.url
    server.stop()
    page.close()


def test_500_that_run(browser: Browser, held: Callable[[int], None], address: str) -> None:
    held(RUNNING)
    visitor = Visitor(browser, address, width=1280)
    page = visitor.page
    visitor.open("/#/executions")
    count = page.locator("[data-of=executions]")
    expect(count).to_have_text(f"{RUNNING} running", timeout=120_000)
    expect(page.locator(".spacer .row").first).to_contain_text("checkout.session.expired", timeout=120_000)
    page.evaluate("performance.clearMeasures()")
    for more in range(1, 6):
        held(10)
        expect(count).to_have_text(f"{RUNNING + 10 * more} running", timeout=60_000)
    page.locator(".scroller").evaluate("element => element.scrollTop = element.scrollHeight / 2")
    expect(page.locator(".spacer .row").nth(5)).to_be_visible()
    updates = page.evaluate("performance.getEntriesByName('update').map((one) => one.duration)")
    rows = page.locator(".spacer .row").count()
    megabytes = memory_of(visitor)
    print(
        f"updates: {len(updates)}, longest {max(updates):.1f} ms; rows in the page: {rows}; renderer {megabytes:.0f} MB"
    )
    assert max(updates) < UPDATE_MS
    assert rows < 60
    assert megabytes < BROWSER_MB
    visitor.close()
    assert visitor.problems == []


def memory_of(visitor: Visitor) -> float:
    """The page's process, by what it shares with others only in part (PSS), in megabytes; the largest of its kind."""
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("HeapProfiler.collectGarbage")
    browser_session = visitor.page.context.browser.new_browser_cdp_session()  # type: ignore[union-attr] # there is one
    found = browser_session.send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [int(one["id"]) for one in found if one["type"] == "renderer"]
    return max(_pss(pid) for pid in renderers) / 1024


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
