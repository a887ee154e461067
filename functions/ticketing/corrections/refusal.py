"""Why a correction cannot be made: the operator is told, and nothing was changed."""

from __future__ import annotations

from ticketing.errors import TicketingError


class CorrectionRefused(TicketingError):
    """The order, or a ticket or code, does not let this correction be made. Nothing was changed."""

    def __init__(self, sentence: str, *, advice: str = "") -> None:
        """Take why, in a sentence, and what to do instead."""
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
