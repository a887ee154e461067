"""The balance of a storm or a sale: what must hold in the end, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Balance:
    """Lines to print, and what is off; `off` empty: all is well."""

    lines: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)

    def check(self, what: str, found: object, expected: object) -> None:
        """Write a line, and remember it where it is off."""
        right = found == expected
        self.lines.append(f"  {'ok ' if right else 'OFF'} {what}: {found}{'' if right else f', expected {expected}'}")
        if not right:
            self.off.append(what)
