"""One running shop (`python -m local run`) and one Chromium for all tests here; each test is somebody new in it.

    def test_it(visitor: Visitor, make_event: MakeEvent) -> None:
        event = make_event(("Standard", "25.00", 10))
        visitor.open(f"/events/{event.id}")

Where there is no Chromium the tests are skipped, with the reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from local.setup import BROWSERS
from tests.browser.shop import Event, Shop
from tests.browser.visitor import PATIENCE_MS, Visitor
from tests.local.conftest import wait_until
from tests.local.running import Running

MakeEvent = Callable[..., Event]
NewVisitor = Callable[..., Visitor]
_ROOT: Final = 0
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window. A browser of Playwright's own is never downloaded."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium is installed, and it could not be: sudo apt-get install chromium")
    # Chromium's sandbox does not work for root, nor need it: only pages of this machine are opened.
    arguments = ["--no-sandbox"] if os.geteuid() == _ROOT else []
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=arguments)
        except Error as error:
            pytest.skip(f"{path} does not start: {error}")
        yield started
        started.close()


@pytest.fixture(scope="session")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop as `make run` has it, in a process of its own; after `browser`: without one nothing need be started."""
    running = Running(tmp_path_factory.mktemp("shop") / "stack")
    try:
        running.wait_until_up()
        # Printed, and the sample shop opened, after stack.json is there.
        assert wait_until(lambda: "Ctrl-C stops everything." in running.text(), 60), running.text()
        yield Shop(running)
    finally:
        running.process.terminate()
        running.process.wait(60)
        running.close()


@pytest.fixture
def make_event(shop: Shop) -> MakeEvent:
    """Put an event on sale that no other test knows: tickets as (name, price, seats)."""
    return shop.make_event


@pytest.fixture
def new_visitor(browser: Browser, shop: Shop) -> Iterator[NewVisitor]:
    """Browsers of further people: nothing is known of them, and none sees another's storage.

    When the test ends none may have had an error on its console.
    """
    visitors: list[Visitor] = []

    def make(*, width: int = 1280) -> Visitor:
        visitors.append(Visitor(browser, shop.url, width=width))
        return visitors[-1]

    yield make
    for one in visitors:
        one.close()
    assert [problem for one in visitors for problem in one.problems] == []


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    """Somebody with a browser, a wide window and a light screen."""
    return new_visitor()
