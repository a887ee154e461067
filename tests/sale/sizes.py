"""How large a sale is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What is sold, and who comes.

    Attributes:
        seats: of the one ticket.
        buyers: how many come, one after the other; six of ten walk away.
        at_once: how many are served at the same time.
        bots: clients that only hold seats, each from one address.
        bot_requests: how often each of them tries.
        hold_seconds: how long seats are held. The shop's least is 300; a sale is played faster.
        patience_seconds: until everything must be sold.
    """

    seats: int = 1000
    buyers: int = 5000
    at_once: int = 32
    bots: int = 2
    bot_requests: int = 500
    hold_seconds: int = 30
    patience_seconds: float = 1200.0


FULL = Size()
SMALL = Size(seats=16, buyers=80, at_once=8, bots=1, bot_requests=15, hold_seconds=3, patience_seconds=90.0)
