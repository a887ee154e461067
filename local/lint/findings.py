"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, where it is, and what to do about it.

    Attributes:
        file: where, e.g. `statemachine/ticket_payment.asl.yaml`.
        place: the state or the resource; empty for the file as a whole.
        check: the check's name, e.g. `task-timeout`.
        message: what is wrong, in a sentence without its full stop.
        advice: what to do.
    """

    file: str
    place: str
    check: str
    message: str
    advice: str

    def __str__(self) -> str:
        """`file:State: message — what to do [check]`, one line."""
        return f"{self.file}:{self.place or '-'}: {self.message} — {self.advice} [{self.check}]"
