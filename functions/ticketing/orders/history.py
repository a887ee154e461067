"""What happened to an order, for the people who look after it (`order_history`)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from ticketing.database import Statement, Transaction

_LONGEST_ID: Final = 255
# An ARN, as Step Functions names its executions; commands and schedules name themselves in words.
_EXECUTION_PREFIX: Final = "arn:"
# So begins the name of an execution that `cachao replay` starts.
REPLAY_PREFIX: Final = "replay-"

# A correlation id: every entry names the execution that wrote it, and no rule of the shop depends on it. So it is
# not handed through all of them.
_execution_id: ContextVar[str | None] = ContextVar("execution_id", default=None)


def written_by(execution_id: str | None) -> None:
    """Say which execution writes the entries that follow: a task does so first of all."""
    _execution_id.set(None if execution_id is None else execution_id[:_LONGEST_ID])


def writing_execution() -> str | None:
    """Give the execution of the state machine that writes; None: it is a command, a schedule or the API."""
    execution_id = _execution_id.get()
    return execution_id if execution_id is not None and execution_id.startswith(_EXECUTION_PREFIX) else None


def execution_id() -> str | None:
    """Give the execution that writes the entries now; None where nobody said."""
    return _execution_id.get()


def is_replay() -> bool:
    """Tell whether an operator started the execution that writes now, to have an event handled again."""
    return (execution_id() or "").rpartition(":")[2].startswith(REPLAY_PREFIX)


def has(tx: Transaction, *, order_id: int, entry: str, stripe_event_id: str) -> bool:
    """Tell whether an entry was written for an order and a Stripe event."""
    return (
        tx.one(
            "SELECT 1 FROM order_history WHERE order_id = %s AND stripe_event_id = %s AND entry = %s",
            order_id,
            stripe_event_id,
            entry,
        )
        is not None
    )


def has_any(tx: Transaction, *, order_id: int, prefix: str, stripe_event_id: str) -> bool:
    """Tell whether an entry whose name begins so was written for an order and a Stripe event."""
    return (
        tx.one(
            "SELECT 1 FROM order_history WHERE order_id = %s AND stripe_event_id = %s AND LEFT(entry, %s) = %s LIMIT 1",
            order_id,
            stripe_event_id,
            len(prefix),
            prefix,
        )
        is not None
    )


def recording(
    *,
    order_id: int,
    entry: str,
    stripe_event_id: str,
    stripe_object_id: str | None = None,
    amount_minor: int | None = None,
) -> Statement:
    """Give the statement that writes an entry once for an order and a Stripe event; a repeat of it writes nothing."""
    return Statement(
        "INSERT IGNORE INTO order_history (order_id, entry, stripe_event_id, stripe_object_id, amount_minor,"
        " execution_id) VALUES (%s, %s, %s, %s, %s, %s)",
        order_id,
        entry,
        stripe_event_id,
        stripe_object_id,
        amount_minor,
        _execution_id.get(),
    )


def record(
    tx: Transaction,
    *,
    order_id: int,
    entry: str,
    stripe_event_id: str,
    stripe_object_id: str | None = None,
    amount_minor: int | None = None,
) -> None:
    """Write an entry once for an order and a Stripe event; a repeat of the event writes nothing."""
    tx.send(
        recording(
            order_id=order_id,
            entry=entry,
            stripe_event_id=stripe_event_id,
            stripe_object_id=stripe_object_id,
            amount_minor=amount_minor,
        )
    )
