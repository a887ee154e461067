"""What happens by itself when its time has come: sessions expire, debits settle, refunds end."""

import logging
import threading
from collections.abc import Callable

from local.stripe_stand_in import payments, refunds, sessions
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import ApiError
from local.stripe_stand_in.store import Record

logger = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.25


def run_due(context: Context) -> int:
    """Do everything whose time has come by the stand-in's clock; returns how much that was."""
    done = 0
    while records := context.store.due(context.clock()):
        for found in records:
            with context.store.transaction():
                # Looked at again under the lock: the buyer may have paid in this moment.
                record = context.store.get(found.kind, found.id)
                if record is None or record.due is None or record.due > context.clock():
                    continue
                _happen(context, record)
                done += 1
    return done


def _happen(context: Context, record: Record) -> None:
    try:
        if record.kind == "checkout.session":
            sessions.expire_now(context, record, RequestInfo())
        elif record.kind == "payment_intent":
            payments.settle(context, record.id, succeeded=record.private["succeeds"])
        elif record.kind == "refund":
            refunds.finish(context, record.id, record.private["becomes"])
    except ApiError:
        # One object that cannot be moved on must not stand in the way of all others.
        logger.exception("%s was due and could not be moved on", record.id)
        record.due = None
        context.store.update(record)


class Timekeeper:
    """Calls `run_due` a few times a second."""

    def __init__(self, work: Callable[[], int]) -> None:
        """Take what to call."""
        self._work = work
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stripe-timekeeper", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_SECONDS):
            try:
                self._work()
            except Exception:
                logger.exception("What is due could not be done; the next look tries again")
