"""Compares the shop's unpaid orders with Stripe, and brings them right; then Stripe's payments with the orders.

Nothing here decides what a payment means: a paid session goes through the same workflow as ever, by an event of the
shape that Stripe's own would have had. Every step is safe to repeat, so a run may be stopped anywhere: what is done
is not due any more. See docs/rules.md, "Seats".

One run: what was ended by hand, and what is paid and not counted; then page by page the orders that are due
(`due_orders`: pending past their time, then processing, then those that say no time; or all since a date); then, page
by page, the sessions that Stripe says were paid; then Stripe's events, for those that never arrived (`event_search`). A
`RunCursor` says where in that it stands.

A run ends at its deadline, whatever Stripe does: no question is begun after it, and the cursor stays before the first
order, or payment, that was not asked about. What is settled is told at once, since the run may fail afterwards.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import msgspec

from ticketing.database import Database
from ticketing.errors import ConfigurationError, PermanentError, StripeUnavailable
from ticketing.event_bus import EventBus
from ticketing.reconciliation import (
    due_orders,
    ended_orders,
    session_search,
    uncounted_orders,
    unrecorded_payments,
)
from ticketing.reconciliation.due_orders import Cursor, DueOrder
from ticketing.reconciliation.event_scan import EventCursor
from ticketing.reconciliation.event_search import EventList, EventSearch, RateLimitedEvents
from ticketing.reconciliation.findings import Finding, finding_of
from ticketing.reconciliation.repair import Answer, ReconciledItem, Repair
from ticketing.reconciliation.session_search import Sessions
from ticketing.reconciliation.unrecorded_payments import UnrecordedPayment
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.objects import SessionObject
from ticketing.stripe.rate_limit import DeadlineExceeded, RateLimiter

# Below Stripe's 25 a second for each endpoint, where the buyers' own requests count, too
# (https://docs.stripe.com/rate-limits).
DEFAULT_REQUESTS_PER_SECOND: Final = 20.0
_THREADS: Final = 8
# Five seconds' worth of requests.
_PAGE_SIZE: Final = 100


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do.

    `since`: all unpaid orders made from then on (UTC), not only those past their time. `dry_run`: only say what
    would be done. `close_missing`: end orders whose session Stripe does not know instead of reporting them, also
    those that were reported before and are not due again.
    `cursor`: go on where an earlier run stopped. `account_is_shared`: the Stripe account sells other things, too, so
    that a payment that is no order's is nothing to report.
    """

    since: datetime | None = None
    dry_run: bool = False
    close_missing: bool = False
    cursor: RunCursor | None = None
    requests_per_second: float = DEFAULT_REQUESTS_PER_SECOND
    account_is_shared: bool = False


class RunCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run came. `now` is its beginning.

    Through the orders; or (`orders` None) through Stripe's sessions; or (`events` set) through Stripe's events.
    """

    now: datetime
    orders: Cursor | None
    after_session: str | None = None
    events: EventCursor | None = None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """So many orders or sessions were found so, and this was done about them."""

    finding: str
    action: str
    number: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders were looked at, of how many that were due when the run began or went on."""

    done: int
    total: int


class Report(msgspec.Struct, kw_only=True):
    """What a run found and did. `complete` False: its time was over, `cursor` says where to go on."""

    dry_run: bool
    complete: bool
    cursor: RunCursor | None
    done: int
    total: int
    counts: list[Count]
    rows: list[ReconciledItem]


def reconcile(  # noqa: PLR0913 -- what it works on, then how, by name
    database: Database,
    sessions: Sessions,
    bus: EventBus,
    options: Options,
    *,
    deadline: float = math.inf,
    events: EventList | None = None,
    on_item: Callable[[ReconciledItem], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Ask Stripe about each order that is due, do what its answer calls for, and look for what the shop does not know.

    Args:
        database: the shop's; used by the calling thread only.
        sessions: Stripe's Checkout Sessions; asked by several threads.
        bus: where events for the workflow are put.
        options: what to do.
        events: Stripe's list of events, to look for those that never arrived; None: it is not looked through.
        deadline: when the run is to end, by `time.monotonic`. The requests that are under way then are waited for.
        on_item: given each row as soon as it is settled, so also when the run fails later. Not in a dry run.
        progress: told after each page.

    Raises:
        StripeUnavailable: Stripe answered nothing for a minute, for all the time there was, or for a whole page.
        ConfigurationError: the API key is wrong.
        DatabaseUnavailable: try again; what was done stays done.
    """
    limiter = RateLimiter(options.requests_per_second, deadline=deadline)
    run = _Run(database, sessions, bus, options, limiter, events=events, on_item=on_item, progress=progress)
    return run.go()


class _Run:
    def __init__(  # noqa: PLR0913 -- as `reconcile`
        self,
        database: Database,
        sessions: Sessions,
        bus: EventBus,
        options: Options,
        limiter: RateLimiter,
        *,
        events: EventList | None,
        on_item: Callable[[ReconciledItem], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self._database = database
        self._options = options
        self._limiter = limiter
        self._on_item = on_item
        self._progress = progress
        self._sessions = session_search.RateLimitedSessions(sessions, limiter)
        self._event_search = EventSearch(
            database,
            None if events is None else RateLimitedEvents(events, limiter),
            self._sessions,
            bus,
            since=options.since,
            dry_run=options.dry_run,
            note=self._note,
        )
        now = options.cursor.now if options.cursor is not None else datetime.now(UTC).replace(tzinfo=None)
        self._cursor: RunCursor | None = options.cursor or RunCursor(now=now, orders=Cursor(now=now))
        self._repair = Repair(database, bus, now=now, dry_run=options.dry_run, close_missing=options.close_missing)
        self._rows: list[ReconciledItem] = []
        self._done = self._total = 0

    def go(self) -> Report:
        cursor = self._cursor
        if cursor is not None and cursor.orders is not None:
            self._total = due_orders.count(
                self._database, cursor.orders, since=self._options.since, reported_too=self._options.close_missing
            )
        if self._options.cursor is None:
            for row in ended_orders.settle_ended(self._database, self._sessions, dry_run=self._options.dry_run):
                self._note(row)
            for row in uncounted_orders.settle_uncounted(self._database, dry_run=self._options.dry_run):
                self._note(row)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="stripe") as threads:
            while self._cursor is not None and not self._limiter.is_over:
                self._cursor = self._step(self._cursor, threads)
                self._progress(Progress(done=self._done, total=max(self._done, self._total)))
        if self._cursor is not None and self._limiter.silence:
            raise StripeUnavailable(f"{self._limiter.silence} The rest waits for the next run.")
        counts = Counter((row.finding, row.action) for row in self._rows)
        return Report(
            dry_run=self._options.dry_run,
            complete=self._cursor is None,
            cursor=self._cursor,
            done=self._done,
            total=max(self._done, self._total),
            counts=[Count(finding=f, action=a, number=n) for (f, a), n in sorted(counts.items())],
            rows=self._rows,
        )

    def _note(self, row: ReconciledItem) -> None:
        self._rows.append(row)
        if not self._options.dry_run:
            self._on_item(row)

    def _step(self, cursor: RunCursor, threads: ThreadPoolExecutor) -> RunCursor | None:
        """Do one page, or as much of it as there is time for, and give the cursor after it; None at the end."""
        if cursor.events is not None:
            return self._at_events(cursor, self._event_search.step(cursor.events, now=cursor.now, threads=threads))
        if cursor.orders is None:
            after_page = self._step_through_payments(cursor, threads)
            return after_page or self._at_events(cursor, self._event_search.begin(cursor.now))
        orders, after = due_orders.read_page(
            self._database,
            cursor.orders,
            since=self._options.since,
            reported_too=self._options.close_missing,
            size=_PAGE_SIZE,
        )
        answers = self._ask_page(orders, threads)
        for row in self._repair.settle(answers):
            self._note(row)
        self._done += len(answers)
        if len(answers) < len(orders):
            after = cursor.orders
            if answers:
                after = due_orders.cursor_behind(after, answers[-1].order, since=self._options.since)
        return RunCursor(now=cursor.now, orders=after)

    def _at_events(self, cursor: RunCursor, events: EventCursor | None) -> RunCursor | None:
        return RunCursor(now=cursor.now, orders=None, events=events) if events is not None else None

    def _ask_page(self, orders: Sequence[DueOrder], threads: ThreadPoolExecutor) -> list[Answer]:
        """Ask about orders; gives the answers about those before the first one that could not be asked about in time.

        What was answered about those behind it is asked again: the cursor can stand at one place only.
        """
        refused = ""
        try:
            known = session_search.find_missing(self._database, self._sessions, orders)
        except DeadlineExceeded:
            return []
        except StripeRefused as refusal:
            known, refused = {}, str(refusal)
        answers: list[Answer] = []
        # All of them, before anything is settled: no question is under way then.
        for answer in list(threads.map(lambda order: self._ask(order, known.get(order.order_id), refused), orders)):
            if answer is None:
                return answers
            answers.append(answer)
        if answers and all(answer.finding == "unanswered" for answer in answers):
            raise StripeUnavailable(
                f"Stripe answered none of {len(answers)} requests. The rest waits for the next run."
            )
        return answers

    def _ask(self, order: DueOrder, found: str | None, refused: str) -> Answer | None:
        """Ask Stripe about an order; gives an answer whatever is wrong with it. Runs in a thread of its own.

        `found`: the session that the search came upon; `refused`: why Stripe let nobody search. None: there was no
        time for it.
        """
        session_id = order.session_id or found
        if session_id is None:
            return Answer(order=order, finding="refused" if refused else "no_session", note=refused)
        try:
            return self._ask_about(order, session_id)
        except DeadlineExceeded:
            return None
        except StripeUnavailable as error:
            return Answer(order=order, finding="unanswered", session_id=session_id, note=str(error))
        except ConfigurationError:
            raise  # it is the same for all
        except PermanentError as error:
            return Answer(order=order, finding="refused", session_id=session_id, note=str(error))
        except Exception as error:  # noqa: BLE001 -- one broken order must not stop the others
            return Answer(order=order, finding="refused", session_id=session_id, note=_oddity(error))

    def _ask_about(self, order: DueOrder, session_id: str) -> Answer:
        """Ask Stripe about an order's session; an open one past its hold is ended first."""
        session = self._sessions.retrieve(session_id)
        finding = finding_of(session)
        if finding == "open" and not self._options.dry_run and self._repair.is_over(order, session):
            if self._sessions.expire(session_id):
                return _answer(order, "open", session_id, session)
            # The buyer or the time was faster: ask what became of it.
            session = self._sessions.retrieve(session_id)
            finding = finding_of(session)
            if finding == "open":
                return Answer(
                    order=order,
                    finding="unanswered",
                    session_id=session_id,
                    note="the session is open, but Stripe does not expire it",
                )
        return _answer(order, finding, session_id, session)

    def _step_through_payments(self, cursor: RunCursor, threads: ThreadPoolExecutor) -> RunCursor | None:
        """Look at a page of the sessions that were paid, whether an order knows each payment."""
        since = self._options.since or cursor.now - unrecorded_payments.LOOK_BACK
        try:
            page, more = self._sessions.page(
                created_from=_unix(since),
                created_until=_unix(cursor.now),
                status="complete",
                after=cursor.after_session,
            )
        except DeadlineExceeded:
            return cursor
        unrecorded = unrecorded_payments.not_recorded(self._database, page)
        if self._options.account_is_shared:
            unrecorded = [payment for payment in unrecorded if payment.order_id is not None]
        # Reported once, or the alarm would never end. A run `since` a date lists them all.
        reported = (
            set()
            if self._options.since is not None
            else unrecorded_payments.already_reported(self._database, unrecorded)
        )
        due = [payment for payment in unrecorded if payment.session_id not in reported]
        settled = self._settle_payments(due, threads)
        ids = [session["id"] for session in page]
        if settled < len(due):
            ids, more = ids[: ids.index(due[settled].session_id)], True
        after = ids[-1] if ids else cursor.after_session
        return RunCursor(now=cursor.now, orders=None, after_session=after) if more else None

    def _settle_payments(self, due: Sequence[UnrecordedPayment], threads: ThreadPoolExecutor) -> int:
        """Send what belongs to an order, report what belongs to none; return how many there was time for."""
        reported: list[str] = []
        settled = 0
        asked = threads.map(self._retrieve, due)
        try:
            for payment, (session, trouble) in zip(due, asked, strict=True):
                if trouble:
                    self._note(unrecorded_payments.report(payment, trouble))
                    reported.append(payment.session_id)
                elif payment.order_id is None:
                    # Money that went back needs no person.
                    if finding_of(session) not in {"refunded", "lost_to_dispute"}:
                        self._note(unrecorded_payments.report(payment))
                        reported.append(payment.session_id)
                elif session is not None:
                    again = self._options.since is not None
                    for row in self._repair.send_late(payment.order_id, session, again=again):
                        self._note(row)
                settled += 1
        except DeadlineExceeded:
            pass
        finally:
            # After they were reported, whatever became of the others.
            if not self._options.dry_run:
                unrecorded_payments.remember_reported(self._database, reported)
        return settled

    def _retrieve(self, payment: UnrecordedPayment) -> tuple[SessionObject | None, str]:
        """Give a payment's session, or why there is none to be had; a refusal of one ends nothing."""
        try:
            session = self._sessions.retrieve(payment.session_id)
            finding_of(session)
        except ConfigurationError:
            raise
        except PermanentError as error:
            return None, str(error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return None, _oddity(error)
        return session, ""


def _oddity(error: Exception) -> str:
    # Not the error's own text: it may quote the buyer's data at Stripe.
    return f"Stripe's answer or the order's row has an unknown form ({type(error).__name__})"


def _answer(order: DueOrder, finding: Finding, session_id: str, session: SessionObject | None) -> Answer:
    return Answer(order=order, finding=finding, session_id=session_id, session=session)


def _unix(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())
