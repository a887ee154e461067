"""Somebody with a browser: a context of its own in the shared Chromium."""

from __future__ import annotations

import re
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Page

# How long a page may take to show what it is waited for, in milliseconds: the machine may be busy.
PATIENCE_MS: Final = 40_000
# What a browser itself writes of an answer that is an error; which one the page may get, the test says.
_REFUSED: Final = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


class Visitor:
    """A page, and what went wrong on it.

    Attributes:
        page: Playwright's page.
        problems: errors on the console, and what no script caught; must be empty in the end.
        expected: statuses that this test makes the API answer with: no problem.
    """

    def __init__(self, browser: Browser, url: str, *, width: int) -> None:
        """Open an empty page."""
        self._context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": 900},
            locale="en-GB",
            reduced_motion="reduce",
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self.problems: list[str] = []
        self.expected: set[int] = set()
        self.page: Page = self._context.new_page()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))

    def open(self, path: str) -> None:
        """Go to a page of the shop."""
        self.page.goto(path)

    def close(self) -> None:
        """Close the page and forget everything."""
        self._context.close()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        refused = _REFUSED.match(message.text)
        if refused is None or int(refused[1]) not in self.expected:
            self.problems.append(f"{self.page.url}: {message.text} ({message.location.get('url', '')})")
