"""Works off the lines of an event's refund, at the pace that Stripe allows, until the time is over or the balance dry.

Each line is a refund of all that is left of one payment, with one idempotency key, and Stripe gives no more back than
was paid: so whatever dies at whatever moment, the line stays due, and doing it again finds the refund that was made.
"""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import msgspec

from ticketing.corrections.event_refund import store
from ticketing.corrections.event_refund.lines import Line, Scope, tickets_of
from ticketing.corrections.frame import ANY_STATE, correct
from ticketing.corrections.take_back import TakeBack
from ticketing.corrections.unpaid_session import end_session
from ticketing.database import Database
from ticketing.errors import ConfigurationError, DatabaseUnavailable, PermanentError, StripeUnavailable
from ticketing.payments import situation
from ticketing.payments.issue_refund import Refunds, refund_payment
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.ending import EndsSessions
from ticketing.stripe.objects import Refund
from ticketing.stripe.rate_limit import DeadlineExceeded, RateLimiter

T = TypeVar("T")

_THREADS: Final = 12
_PAGE: Final = 200
_TRIES: Final = 4
# What Stripe says where the account's balance does not suffice: it refuses, or makes a refund that waits for money
# (https://support.stripe.com/questions/pending-refunds-due-to-insufficient-funds-or-stripe-balance).
_DRY_CODES: Final = frozenset({"balance_insufficient", "insufficient_funds"})


class Sessions(EndsSessions, Protocol):
    """Where sessions are ended: `ticketing.stripe.sessions.StripeSessions`."""


class Progress(msgspec.Struct, kw_only=True):
    """How far it is. `dry`: why it stopped before its end, where the balance does not suffice."""

    due: int
    done_now: int = 0
    dry: str = ""
    ended: bool = False


class EventRefund:
    """Works off one event's refund, with a database connection for each thread."""

    def __init__(
        self,
        open_database: Callable[[], Database],
        refunds: Refunds,
        sessions: Sessions,
        *,
        per_second: float,
        deadline: float = math.inf,
    ) -> None:
        """Take where to work; `deadline` is a time of `time.monotonic`, after which nothing is begun any more."""
        self._open_database = open_database
        self._refunds = refunds
        self._sessions = sessions
        self._limiter = RateLimiter(per_second, deadline=deadline)
        self._own = threading.local()
        self._opened: list[Database] = []
        self._dry = ""
        self._done = 0
        self._lock = threading.Lock()

    def go(self, scope: Scope, refund_id: int, *, by: str, reason: str | None) -> Progress:
        """Do what is due, and look again for what became due meanwhile.

        Raises:
            DatabaseUnavailable: try again; also while another one works at the same.
            StripeUnavailable: Stripe answers nobody.
            ConfigurationError: the API key may not refund.
        """
        try:
            return self._go(scope, refund_id, by, reason)
        finally:
            for opened in self._opened:
                opened.close()
            self._own, self._opened = threading.local(), []

    def _go(self, scope: Scope, refund_id: int, by: str, reason: str | None) -> Progress:
        database = self._database
        with _alone(database, refund_id), ThreadPoolExecutor(_THREADS, thread_name_prefix="refund") as threads:
            after, at_first = (0, ""), True
            while not self._over:
                with database.transaction() as tx:
                    page = store.due(tx, refund_id, after=after, limit=_PAGE)
                if page:
                    # All answers of a page are in before the next is begun; the pace has its turns handed out ahead.
                    list(threads.map(lambda line: self._one(refund_id, line, by, reason), page))
                    after = (page[-1].order_id, page[-1].payment_key)
                    continue
                if at_first and after == (0, ""):
                    break
                # What could not be done, and what was paid meanwhile: once more.
                with database.transaction() as tx:
                    tickets = tickets_of(tx, scope)
                if not at_first or not store.enrol(database, refund_id, tickets, anew=False):
                    break
                after, at_first = (0, ""), False
            with database.transaction() as tx:
                store.end(tx, refund_id)
                ended = tx.one("SELECT ended_at FROM event_refunds WHERE id = %s", refund_id)
                left = store.count_due(tx, refund_id)
        if self._limiter.silence and left:
            raise StripeUnavailable(f"{self._limiter.silence} Say the command again: it goes on where it was.")
        is_over = ended is not None and ended["ended_at"] is not None
        return Progress(due=left, done_now=self._done, dry=self._dry, ended=is_over)

    @property
    def _over(self) -> bool:
        return bool(self._dry) or self._limiter.is_over

    @property
    def _database(self) -> Database:
        """This thread's own."""
        if not hasattr(self._own, "database"):
            self._own.database = self._open_database()
            with self._lock:
                self._opened.append(self._own.database)
        found: Database = self._own.database
        return found

    def _one(self, refund_id: int, line: Line, by: str, reason: str | None) -> None:
        if self._over:
            return
        try:
            if line.what == "refund":
                self._refund(line)
            else:
                self._take_back(line, by, reason)
        except (DeadlineExceeded, StripeUnavailable, DatabaseUnavailable, _Dry):
            return  # it stays due
        except ConfigurationError:
            raise  # it is the same for all
        except PermanentError as error:
            line.state, line.note = "failed", str(error)
        except Exception as error:  # noqa: BLE001 -- one broken order must not stop the others
            # Not the error's own text: it may quote the buyer's data.
            line.state, line.note = (
                "failed",
                f"its row, or Stripe's answer, has an unknown form ({type(error).__name__})",
            )
        with contextlib.suppress(DatabaseUnavailable):
            _retried(lambda: self._settle(refund_id, line))
            with self._lock:
                self._done += line.state == "done"

    def _settle(self, refund_id: int, line: Line) -> None:
        with self._database.transaction() as tx:
            store.settle(tx, refund_id, line)

    def _refund(self, line: Line) -> None:
        with self._database.transaction() as tx:
            now = situation.read(tx, line.order_id, line.payment_key)
        disputes = [known for known in now.disputes if known.is_open]
        if disputes:
            line.state, line.note = "disputed", f"{disputes[0].stripe_dispute_id} is open: answer or accept it"
            return
        asked = _Asked(self._refunds, self._limiter)
        try:
            made = _retried(
                lambda: refund_payment(
                    self._database, asked, line.order_id, payment_key=line.payment_key, accepted_too=True
                )
            )
        except PermanentError as error:
            if asked.refusal is None:
                raise
            if asked.is_dry:
                self._stop(str(asked.refusal))
                raise _Dry from None
            disputed = asked.refusal.code == "charge_disputed"
            line.state, line.note = "disputed" if disputed else "failed", str(error)
            return
        line.state, line.stripe_refund_id, line.note = "done", made.refund_id, made.status
        with self._database.transaction() as tx:
            left = situation.read(tx, line.order_id, line.payment_key)
        if left.payment is not None:
            # What others gave back meanwhile is in the books, too, and is not this line's.
            line.refunded_minor = min(made.amount_minor, left.payment.refunded_minor)
            line.before_minor = left.payment.refunded_minor - line.refunded_minor
        if asked.waits_for_money:
            self._stop("Stripe made a refund that waits until the balance suffices.")

    def _stop(self, why: str) -> None:
        with self._lock:
            self._dry = self._dry or why

    def _take_back(self, line: Line, by: str, reason: str | None) -> None:
        database, correction = self._database, TakeBack()
        seen = _retried(lambda: correct(database, line.order_id, correction)).seen
        report = self._limiter.ask(lambda: end_session(database, self._sessions, line.order_id, correction, seen=seen))
        if not (report.refused or report.moved_on or report.already):
            report = _retried(
                lambda: correct(database, line.order_id, correction, by=by, reason=reason, seen=ANY_STATE)
            )
        if report.refused or report.moved_on:
            line.state, line.note = "waits", report.refused or "it changed meanwhile: say the command again"
        else:
            line.state, line.note = "done", line.note or "ended"


class _Dry(Exception):
    """The balance does not suffice."""


class _Asked:
    """Asks for one refund, in pace, and keeps what Stripe said."""

    def __init__(self, refunds: Refunds, limiter: RateLimiter) -> None:
        self._refunds = refunds
        self._limiter = limiter
        self.refusal: StripeRefused | None = None
        self.waits_for_money = False

    @property
    def is_dry(self) -> bool:
        said = self.refusal
        return said is not None and (said.code in _DRY_CODES or "insufficient funds" in str(said).lower())

    def refund(
        self, payment_intent_id: str, *, order_id: int, idempotency_key: str, amount_minor: int | None = None
    ) -> Refund | None:
        def ask() -> Refund | StripeRefused | None:
            try:
                return self._refunds.refund(
                    payment_intent_id, order_id=order_id, idempotency_key=idempotency_key, amount_minor=amount_minor
                )
            except StripeRefused as refusal:
                return refusal  # an answer: Stripe is there

        made = self._limiter.ask(ask)
        if isinstance(made, StripeRefused):
            self.refusal = made
            raise made
        self.waits_for_money = made is not None and made.pending_reason == "insufficient_funds"
        return made

    def made_before(self, payment_intent_id: str) -> list[Refund]:
        return self._limiter.ask(lambda: self._refunds.made_before(payment_intent_id))


def _retried(work: Callable[[], T]) -> T:
    for left in range(_TRIES - 1, -1, -1):
        try:
            return work()
        except DatabaseUnavailable:
            if not left:
                raise
            time.sleep(random.uniform(0, 0.5 * (_TRIES - left)))  # noqa: S311 -- jitter, no secret
    raise AssertionError


@contextlib.contextmanager
def _alone(database: Database, refund_id: int) -> Iterator[None]:
    """Let no other work at the same refund: together they would ask Stripe faster than it allows."""
    name = f"cachao_er_{refund_id}_"
    with database.transaction() as tx:
        row = tx.one("SELECT GET_LOCK(CONCAT(%s, DATABASE()), 0) AS mine", name)
    if row is None or row["mine"] != 1:
        raise DatabaseUnavailable("The same refund is under way already. Try again in a minute.")
    try:
        yield
    finally:
        # With a connection that was lost its lock is gone, too.
        with contextlib.suppress(DatabaseUnavailable), database.transaction() as tx:
            tx.one("SELECT RELEASE_LOCK(CONCAT(%s, DATABASE()))", name)
