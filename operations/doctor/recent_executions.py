"""What the workflow did lately: failures that are still open, by their error, and what runs for too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from operations import executions, replay
from operations.doctor import settled
from operations.doctor.finding import NO_ORDER_ID, NOT_PROCESSED, Finding, fine
from operations.doctor.guarding import guarded
from operations.environment import Environment
from operations.executions import Execution
from operations.output import counted, moment

LINK: Final = "Recent executions"
_LOOK_BACK: Final = timedelta(days=1)
_MOST: Final = 500
# Each is a request of its own.
_MOST_FAILED: Final = 200
# Listed a thousand at a time.
_MOST_RUNNING: Final = 10_000
_RUNS_LONG: Final = timedelta(minutes=30)
_ENTRIES: Final = {"ABORTED": "executionsabortedalarm", "TIMED_OUT": "executionstimedoutalarm"}
# These may be settled in Stripe's dashboard alone, which leaves no trace in the shop's records.
_BY_HAND: Final = frozenset({"OrderNotFound", "OrderMismatch", "AmountMismatch", "RefundFailed", "InvalidEvent"})
_UNSEEN: Final = "What was settled in Stripe's dashboard alone is not seen here, and is told until it is 24 hours old."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether executions of the last 24 hours failed and nothing has settled it since, and which run for too long."""
    problems = [*guarded(LINK, _failing(environment)), *guarded(LINK, _slow(environment))]
    yield from problems
    if not problems:
        yield from guarded(LINK, _fine(environment))


def _fine(environment: Environment) -> Iterator[Finding]:
    since = datetime.now(UTC) - _LOOK_BACK
    number = sum(1 for _ in islice(executions.listed(environment, status="SUCCEEDED", since=since), _MOST))
    if number:
        least = "At least " if number == _MOST else ""
        yield fine(LINK, f"{least}{number} succeeded in the last 24 hours; none failed that is still open.")
    else:
        yield fine(LINK, "None succeeded in the last 24 hours, and none failed that is still open.")


def _failing(environment: Environment) -> Iterator[Finding]:
    since = datetime.now(UTC) - _LOOK_BACK
    recent = executions.recent(environment, statuses=executions.FAILED, since=since, limit=_MOST_FAILED)
    # A replay that failed again is the same trouble, not a second one; one that succeeded ended it.
    plans = replay.plan(environment, recent, named=False)
    unrepaired = [planned.original for planned in plans if planned.intention != "repaired already"]
    failed = settled.still_open(environment, unrepaired)
    lacking = [found for found in failed if found.error == "OrderNotFound" and found.event.order_reference is None]
    yield from _without_order(lacking)
    yield from _by_error([found for found in failed if found not in lacking])


def _without_order(lacking: list[Execution]) -> Iterator[Finding]:
    if lacking:
        yield Finding(
            LINK,
            "broken",
            f"{counted(len(lacking), 'payment')} came without metadata.order_id, and no order knows the session:"
            f" {_examples(lacking)}.",
            "order_id_missing",
            "Was the Checkout Session made by something else than this shop's checkout? It must set metadata.order_id"
            " on the session itself: on the PaymentIntent or the product is not enough. Look the payment up in Stripe."
            " Where its order exists: cachao replay EXECUTION --order NUMBER; otherwise refund it in Stripe."
            f" {_UNSEEN}",
            NO_ORDER_ID,
        )


def _by_error(failed: list[Execution]) -> Iterator[Finding]:
    for error, number in Counter(found.error or found.status for found in failed).most_common():
        examples = [found for found in failed if (found.error or found.status) == error]
        # What ended without an error of its own has the entry of its alarm.
        entry = _ENTRIES.get(error) or error.replace(".", "").lower()
        yield Finding(
            LINK,
            "broken",
            f"{counted(number, 'execution')} of the last 24 hours failed with {error}, still open:"
            f" {_examples(examples)}.",
            "executions_failing",
            f"See docs/runbook.md#{entry}; cachao show EXECUTION names the step. When the cause is mended:"
            f" cachao replay --failed --since 1d --error {error}" + (f"\n{_UNSEEN}" if error in _BY_HAND else ""),
            NOT_PROCESSED,
        )


def _slow(environment: Environment) -> Iterator[Finding]:
    before = datetime.now(UTC) - _RUNS_LONG
    # Newest first, so the slow ones are the last: all have to be gone through.
    running = list(islice(executions.listed(environment, status=executions.RUNNING), _MOST_RUNNING))
    slow = [found for found in running if found["startDate"] < before]
    least = "At least " if len(running) == _MOST_RUNNING else ""
    if slow:
        says = (
            f"{least}{counted(len(slow), 'execution')} running for more than half an hour, since"
            f" {moment(slow[-1]['startDate'])} UTC: {slow[-1]['name']}."
        )
    elif least:
        says = f"{least}{len(running)} executions run at the same time: they pile up."
    else:
        return
    yield Finding(
        LINK,
        "broken",
        says,
        "executions_slow",
        "They are trying again and again: cachao show EXECUTION says what fails. The database, or Stripe?",
        NOT_PROCESSED,
    )


def _examples(found: list[Execution]) -> str:
    names = [f"{one.name} (order {one.event.order_reference or 'none'})" for one in found[:3]]
    return ", ".join(names) + (" and more" if len(found) > len(names) else "")
