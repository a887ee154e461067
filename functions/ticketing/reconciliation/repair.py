"""Does about an unpaid order what Stripe's answer calls for, and says what was done."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

import msgspec

from ticketing.alerts import Alert
from ticketing.database import Database, Transaction
from ticketing.errors import DatabaseUnavailable, PermanentError
from ticketing.event_bus import BusEvent, EventBus
from ticketing.orders import history
from ticketing.orders.status import LIVE, OrderStatus
from ticketing.payments.release import mark_order_processing, release_order
from ticketing.reconciliation import due_orders, made_events
from ticketing.reconciliation.due_orders import DueOrder
from ticketing.reconciliation.findings import Finding, charge_of, finding_of, payment_key
from ticketing.stripe.objects import SessionObject

T = TypeVar("T")

Action = Literal[
    "event_sent", "event_not_sent", "released", "counted", "marked_processing", "left", "reported", "failed"
]
NEED_A_PERSON: Final = frozenset({"reported", "failed", "event_not_sent"})

# A checkout makes the order and then its session. With a hold it may be taken up again until that is over; an order
# from before holds existed may be in between for so long.
_IN_FLIGHT: Final = timedelta(minutes=10)
# When an order is asked about again: one whose event is on its way, one whose delayed payment is awaited, and one
# that a person has to look at. A payment that the workflow refuses again and again (AmountMismatch) is sent again
# after ever longer times, up to a day.
_SENT_SECONDS: Final = 10 * 60
_DAY_SECONDS: Final = 24 * 3600
# What became of the money, the workflow sees to.
_TOOK_MONEY: Final = frozenset({"paid", "refunded", "lost_to_dispute"})
# EventBridge takes ten entries a call, so ten orders are marked in one transaction.
_BATCH: Final = 10
_TRIES: Final = 5
# When an order is tried again that could not be mended: each time is an alarm.
_AFTER_FAILURE: Final = timedelta(hours=1)


class ReconciledItem(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of an order or a session, what was done about it, and for an odd one why."""

    order_id: int | None
    session_id: str | None
    finding: str
    action: Action
    note: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe says of an order's session. `open` that is over: it was ended just now."""

    order: DueOrder
    finding: Finding
    session_id: str | None = None
    session: SessionObject | None = None
    note: str = ""


class Repair:
    """Acts on answers, in small transactions on one connection."""

    def __init__(self, database: Database, bus: EventBus, *, now: datetime, dry_run: bool, close_missing: bool) -> None:
        """Take where to act; `now` is the run's beginning in UTC. With `dry_run` nothing is changed anywhere."""
        self._database = database
        self._bus = bus
        self._now = now
        self._dry_run = dry_run
        self._close_missing = close_missing

    def is_over(self, order: DueOrder, session: SessionObject | None) -> bool:
        """Tell whether an order with an open session lost its time to pay.

        An order without a hold of its own, from before holds existed, keeps its session's time.
        """
        if order.status != OrderStatus.PENDING or session is None:
            return False
        if order.hold_expires_at is None:
            return datetime.fromtimestamp(session["expires_at"], tz=UTC).replace(tzinfo=None) <= self._now
        return order.hold_expires_at <= self._now

    def _may_be_under_way(self, order: DueOrder) -> bool:
        if order.hold_expires_at is not None:
            return order.hold_expires_at > self._now
        # An order of which nobody knows when it was made is one of the live shop's.
        return order.created_at is not None and order.created_at + _IN_FLIGHT > self._now

    def settle(self, answers: Sequence[Answer]) -> Iterator[ReconciledItem]:
        """Act on a page of answers, and give a row for each as soon as it is settled, in no particular order.

        Raises:
            DatabaseUnavailable: also after several tries. What is settled by then has had its row.
        """
        paid = [answer for answer in answers if answer.finding in _TOOK_MONEY]
        for start in range(0, len(paid), _BATCH):
            yield from self._send(paid[start : start + _BATCH])
        for answer in answers:
            if answer.finding not in _TOOK_MONEY:
                yield from self._settle_one(answer)

    def send_late(self, order_id: int, session: SessionObject, *, again: bool) -> list[ReconciledItem]:
        """Send a payment whose event was lost, of an order that does not wait for one any more.

        Once, unless `again`: what the workflow refuses it would refuse every time.
        """
        session_id = session["id"]
        finding = finding_of(session)
        if self._dry_run:
            return [_row(order_id, session_id, finding, "event_sent")]
        if not again and retried(lambda: self._was_sent(order_id, session_id)):
            return []
        put = self._bus.put(made_events.events_of_paid_session(session))
        if not all(result.taken for result in put):
            return [_row(order_id, session_id, finding, "event_not_sent")]
        retried(lambda: self._mark_late(order_id, session))
        return [_row(order_id, session_id, finding, "event_sent", "its payment was not recorded")]

    def _settle_one(self, answer: Answer) -> Iterator[ReconciledItem]:
        order = answer.order
        action, note = self._decide(answer)
        if not self._dry_run:
            try:
                off = retried(lambda: self._act(answer, action))
                if off:
                    action, note = "reported", " ".join(alert.message for alert in off)
            except DatabaseUnavailable:
                # A COMMIT whose answer was lost may have put off the next check for a day: better report twice.
                if action == "reported":
                    yield _row(order.order_id, answer.session_id, answer.finding, action, note)
                raise
            except Exception as error:  # noqa: BLE001 -- one broken order must not stop the others
                action, note = "failed", _sentence(error)
                self._put_off_failed(order.order_id)
        yield _row(order.order_id, answer.session_id, answer.finding, action, note)

    def _decide(self, answer: Answer) -> tuple[Action, str]:
        order, finding = answer.order, answer.finding
        action: Action = "released"
        note = answer.note
        if finding == "unanswered":
            action = "left"
        elif finding == "refused":
            action = "reported"
        elif finding == "no_session" and self._may_be_under_way(order):
            action, note = "left", "its checkout may be under way"
        elif finding == "session_missing" and not self._close_missing:
            action, note = "reported", "Stripe has no such session in this account and mode"
        elif finding == "payment_awaited":
            action = "marked_processing" if order.status == OrderStatus.PENDING else "left"
        elif finding == "open" and not self.is_over(order, answer.session):
            action = "left"
        return action, note

    def _act(self, answer: Answer, action: Action) -> list[Alert]:
        """Do it; gives what cannot be counted though it is done."""
        order = answer.order
        if answer.session_id is not None and order.session_id is None:
            self._store_session(order.order_id, answer.session_id)
        cause = made_events.event_id(answer.session_id or f"order_{order.order_id}")
        if action == "released":
            # A processing order whose session no longer exists cannot be paid any more either.
            failed = answer.finding == "payment_failed" or order.status == OrderStatus.PROCESSING
            moved = release_order(
                self._database, order.order_id, lost_as="failed" if failed else "expired", stripe_event_id=cause
            )
            return moved.alerts
        if action == "marked_processing":
            mark_order_processing(self._database, order.order_id, stripe_event_id=cause)
        elif answer.finding in {"payment_awaited", "session_missing", "refused"}:
            self._ask_again(order.order_id, self._now + timedelta(seconds=_DAY_SECONDS))
            if answer.finding == "session_missing":
                # So that `close_missing` finds it before the day is over, and people see why its seats are held.
                self._record_missing(order.order_id, cause, answer.session_id)
        elif answer.finding == "open" and answer.session is not None and order.hold_expires_at is None:
            ends = datetime.fromtimestamp(answer.session["expires_at"], tz=UTC).replace(tzinfo=None)
            self._ask_again(order.order_id, ends)
        return []

    def _send(self, answers: Sequence[Answer]) -> list[ReconciledItem]:
        if self._dry_run:
            return [_row(a.order.order_id, a.session_id, a.finding, "event_sent") for a in answers]
        events: list[BusEvent] = []
        owners: list[int] = []
        failed: list[ReconciledItem] = []
        for answer in answers:
            try:
                made = self._prepare(answer)
            except DatabaseUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 -- one order's trouble keeps no other waiting
                failed.append(
                    _row(answer.order.order_id, answer.session_id, answer.finding, "failed", _sentence(error))
                )
                self._put_off_failed(answer.order.order_id)
                continue
            events += made
            owners += [answer.order.order_id] * len(made)
        answers = [answer for answer in answers if answer.order.order_id in owners]
        lost = {owner for owner, result in zip(owners, self._bus.put(events), strict=True) if not result.taken}
        sent = [answer for answer in answers if answer.order.order_id not in lost]
        retried(lambda: self._mark_sent(sent))
        return [
            _row(
                a.order.order_id,
                a.session_id,
                a.finding,
                "event_not_sent" if a.order.order_id in lost else "event_sent",
                _note_of(a.session),
            )
            for a in answers
        ] + failed

    def _prepare(self, answer: Answer) -> list[BusEvent]:
        if answer.session_id is not None and answer.order.session_id is None:
            self._store_session(answer.order.order_id, answer.session_id)
        return made_events.events_of_paid_session(answer.session or {})

    def _mark_sent(self, answers: Sequence[Answer]) -> None:
        """Leave the orders alone while their executions run, so that the next run does not send them again."""
        with self._database.transaction() as tx:
            for answer in sorted(answers, key=lambda a: a.order.order_id):
                _record_sent(tx, answer.order.order_id, answer.session or {})
                tx.change(
                    "UPDATE ticket_orders SET next_check_at = UTC_TIMESTAMP(6) + INTERVAL"
                    " LEAST(%s, GREATEST(%s, (SELECT TIMESTAMPDIFF(SECOND, MIN(h.recorded_at), UTC_TIMESTAMP(6))"
                    " FROM order_history AS h WHERE h.order_id = %s AND h.entry = 'reconcile_sent'))) SECOND"
                    " WHERE id = %s AND status IN %s",
                    _DAY_SECONDS,
                    _SENT_SECONDS,
                    answer.order.order_id,
                    answer.order.order_id,
                    LIVE,
                )

    def _mark_late(self, order_id: int, session: SessionObject) -> None:
        with self._database.transaction() as tx:
            _record_sent(tx, order_id, session)

    def _was_sent(self, order_id: int, session_id: str) -> bool:
        with self._database.transaction() as tx:
            row = tx.one(
                "SELECT id FROM order_history"
                " WHERE order_id = %s AND stripe_event_id = %s AND entry = 'reconcile_sent'",
                order_id,
                made_events.event_id(session_id),
            )
        return row is not None

    def _put_off_failed(self, order_id: int) -> None:
        retried(lambda: self._ask_again(order_id, self._now + _AFTER_FAILURE))

    def _ask_again(self, order_id: int, when: datetime) -> None:
        with self._database.transaction() as tx:
            tx.change(
                "UPDATE ticket_orders SET next_check_at = %s WHERE id = %s AND status IN %s"
                " AND (next_check_at IS NULL OR next_check_at < %s)",
                when,
                order_id,
                LIVE,
                when,
            )

    def _record_missing(self, order_id: int, cause: str, session_id: str | None) -> None:
        with self._database.transaction() as tx:
            history.record(
                tx,
                order_id=order_id,
                entry=due_orders.SESSION_MISSING,
                stripe_event_id=cause,
                stripe_object_id=session_id,
            )

    def _store_session(self, order_id: int, session_id: str) -> None:
        def store() -> None:
            with self._database.transaction() as tx:
                tx.change(
                    "UPDATE ticket_orders SET stripe_checkout_session_id = %s"
                    " WHERE id = %s AND stripe_checkout_session_id IS NULL",
                    session_id,
                    order_id,
                )

        retried(store)


def _record_sent(tx: Transaction, order_id: int, session: SessionObject) -> None:
    history.record(
        tx,
        order_id=order_id,
        entry="reconcile_sent",
        stripe_event_id=made_events.event_id(session["id"]),
        stripe_object_id=payment_key(session),
        amount_minor=session.get("amount_total"),
    )


def _row(order_id: int | None, session_id: str | None, finding: str, action: Action, note: str = "") -> ReconciledItem:
    return ReconciledItem(order_id=order_id, session_id=session_id, finding=finding, action=action, note=note)


def _sentence(error: Exception) -> str:
    # Of an unexpected error, only its type: its text may quote a buyer.
    return str(error) if isinstance(error, PermanentError) else f"unexpected error: {type(error).__name__}"


def _note_of(session: SessionObject | None) -> str:
    charge = charge_of(session) if session is not None else None
    if charge is None or not charge.get("disputed"):
        return ""
    return f"disputed: cachao dispute {charge['id']}"


def retried(work: Callable[[], T]) -> T:
    """Retry a transaction that lost against another one; a long run must not end for that."""
    for failed in range(1, _TRIES):
        try:
            return work()
        except DatabaseUnavailable:
            time.sleep(random.uniform(0, 0.2 * 2**failed))  # noqa: S311 -- jitter, no secret
    return work()
