"""Alerts of a step that succeeded: what a person must know although nothing failed.

A task of the workflow may answer a list of them in its field `alerts`. The state machine publishes each once and goes
on to its ordinary end (docs/decisions.md, "A step that succeeds can have alerts"). What fails raises an error of
`ticketing.errors` instead, and gets its alert from the state machine.
"""

from __future__ import annotations

from typing import Literal

import msgspec

AlertName = Literal[
    "CountsOff",
    "DisputeClosed",
    "DisputeLost",
    "DisputeOpened",
    "DisputeWon",
    "PaidAfterEvent",
]


class Alert(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One alert; the state machine adds order, step, execution and links.

    Attributes:
        name: what it is, for subject, filters and the runbook's entry (in lower case).
        message: what happened, in sentences that name order, amounts and Stripe's ids, and nothing of the buyer.
        money_taken: the answer to "Was money taken", e.g. `yes, 20.00 EUR`. None: the state machine says how to see it.
        what_to_do: what an operator does now, beginning with a verb. None: the state machine names the runbook.
    """

    name: AlertName
    message: str
    money_taken: str | None = None
    what_to_do: str | None = None
