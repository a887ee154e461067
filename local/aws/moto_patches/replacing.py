"""Replaces attributes of moto and can put them all back."""

from collections.abc import Callable, MutableMapping
from typing import Any


class Replacements:
    """Remembers what was there before, so that `undo` leaves moto as it was."""

    def __init__(self) -> None:
        """Begin with nothing replaced."""
        self._undo: list[Callable[[], object]] = []

    def set(self, owner: Any, name: str, value: object) -> None:  # noqa: ANN401 - a class or a module
        """Replace `owner.name`, or add it."""
        if name in vars(owner):
            before = vars(owner)[name]  # not getattr: a static method must stay one
            self._undo.append(lambda: setattr(owner, name, before))
        else:
            self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, value)

    def set_item(self, owner: MutableMapping[str, Any], name: str, value: object) -> None:
        """Replace `owner[name]`."""
        before = owner[name]
        self._undo.append(lambda: owner.__setitem__(name, before))
        owner[name] = value

    def undo(self) -> None:
        """Put everything back, last first."""
        while self._undo:
            self._undo.pop()()
