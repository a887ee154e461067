"""A command's output on the page: what it prints becomes blocks, and what it asks is asked there.

So a command runs on the page as it does on a command line, with the same preview and the same question.
"""

from __future__ import annotations

import hmac
import io
from typing import Any

import msgspec
from rich.console import RenderableType

from cachao.page.blocks import Block, blocks_of
from cachao.problems import Problem
from cachao.view.foreign_text import SafeConsole
from cachao.view.output import Output


class Asked(Exception):
    """The command asked, and has not been answered: nothing was done so far."""

    def __init__(self, question: str, seal: str) -> None:
        """Take the question, and what a page sends back with a yes."""
        super().__init__(question)
        self.question = question
        self.seal = seal


class Collected(Output):
    """Keeps what is printed. A yes is for one preview and one question: to another it is no answer."""

    def __init__(self, *, key: bytes, about: bytes, yes_to: str | None) -> None:
        """Take the key of seals, what the command was told to do, and the seal of what the person said yes to."""
        super().__init__(no_color=True)
        self._key = key
        self._about = about
        self._yes_to = yes_to
        self._errors = _Printed(self)
        self.blocks: list[Block] = []
        self.data: dict[str, Any] = {}

    @property
    def is_live(self) -> bool:
        """No progress is drawn."""
        return False

    def answer(self, data: object, *shown: RenderableType) -> None:
        """Keep what is to be shown."""
        del data
        self.blocks += blocks_of(shown)

    def note(self, text: str) -> None:
        """Keep it like an answer; it may have markup."""
        self.blocks += blocks_of([text])

    def problem(self, problem: Problem) -> None:
        """Keep what went wrong."""
        self.data["problem"] = {"error": problem.sentence, "advice": problem.advice}

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on the page.

        Raises:
            Asked: this has not been answered with a yes.
        """
        del yes
        seal = hmac.digest(self._key, msgspec.json.encode([self._about, self.blocks, question]), "sha256").hex()
        if self._yes_to is None or not hmac.compare_digest(seal, self._yes_to):
            raise Asked(question, seal)


class _Printed(SafeConsole):
    """In place of stderr, where commands print their previews."""

    def __init__(self, output: Collected) -> None:
        super().__init__(file=io.StringIO())
        self._output = output

    def print(self, *objects: Any, **_: object) -> None:  # noqa: ANN401 -- rich's own signature
        self._output.blocks += blocks_of(objects)
