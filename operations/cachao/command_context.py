"""What every command is given: where the shop is, and where the answer goes."""

from __future__ import annotations

import functools
from typing import Self

from cachao.aws import environment
from cachao.aws.environment import Choice, Environment
from cachao.view.output import Output


class CommandContext:
    """The place an operator works at; the stack is looked for when a command first needs it."""

    def __init__(self, choice: Choice, output: Output) -> None:
        """Take what the operator said about where and how."""
        self._choice = choice
        self.output = output

    @classmethod
    def at(cls, found: Environment, output: Output) -> Self:
        """Give the context of a stack that has been found already."""
        context = cls(Choice(), output)
        context.environment = found
        return context

    @property
    def names_a_stack(self) -> bool:
        """Whether the operator said which stack is meant; otherwise it may be the local one of this folder."""
        return self._choice.local or self._choice.stack is not None

    @functools.cached_property
    def environment(self) -> Environment:
        """The stack that the operator means.

        Raises:
            Problem: it was not said which, or it is not there.
        """
        found = environment.find(self._choice)
        found.on_request = lambda operation: self.output.waiting(f"asking AWS: {operation}")
        return found
