"""What the workflow did lately: failures that are still open, by their error, and what runs for too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.doctor import failures
from cachao.doctor.finding import NO_ORDER_ID, NOT_PROCESSED, Finding, fine
from cachao.doctor.guarding import guarded
from cachao.doctor.settled import Open
from cachao.replay.plans import error_of
from cachao.view.output import moment, pluralize

LINK: Final = "Recent executions"
_LOOK_BACK: Final = timedelta(days=1)
_MOST: Final = 500
# Listed a thousand at a time.
_MOST_RUNNING: Final = 10_000
_RUNS_LONG: Final = timedelta(minutes=30)
# What failed last before that is over: it waits for its replay, and breaks nothing now.
_OF_NOW: Final = timedelta(hours=1)
_ENTRIES: Final = {"ABORTED": "executionsabortedalarm", "TIMED_OUT": "executionstimedoutalarm"}
# Each of these is about its own payment and nothing else, so it is the cause of nothing else.
_OF_ONE_PAYMENT: Final = frozenset(
    {
        "OrderNotFound",
        "OrderMismatch",
        "AmountMismatch",
        "DuplicatePayment",
        "PaidButSoldOut",
        "PaymentForClosedOrder",
        "RefundFailed",
        "InvalidEvent",
        "DataInconsistent",
        "ABORTED",
    }
)
# These may be settled in Stripe's dashboard alone, which leaves no trace in the shop's records.
_BY_HAND: Final = frozenset({"OrderNotFound", "OrderMismatch", "AmountMismatch", "RefundFailed", "InvalidEvent"})
_UNSEEN: Final = "This check does not see what was settled only in Stripe's dashboard, and reports it for 24 hours."
_SEEN: Final = "This check stops reporting it once Stripe says that all of it was refunded."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether executions of the last 24 hours failed and nothing has settled it since, and which run for too long."""
    problems = [*guarded(LINK, _slow(environment)), *guarded(LINK, _failing(environment))]
    yield from problems
    if not problems:
        yield from guarded(LINK, _fine(environment))


def _fine(environment: Environment) -> Iterator[Finding]:
    since = datetime.now(UTC) - _LOOK_BACK
    number = sum(1 for _ in islice(executions.listed(environment, status="SUCCEEDED", since=since), _MOST))
    if number:
        least = "At least " if number == _MOST else ""
        yield fine(LINK, f"{least}{number} succeeded in the last 24 hours; no failure is open.")
    else:
        yield fine(LINK, "None succeeded in the last 24 hours, and no failure is open.")


def _failing(environment: Environment) -> Iterator[Finding]:
    failed = failures.still_open(environment, since=datetime.now(UTC) - _LOOK_BACK)
    lacking = [one for one in failed if _lacks_order(one)]
    yield from _by_error([one for one in failed if one not in lacking])
    yield from _without_order(lacking)


def _lacks_order(one: Open) -> bool:
    return one.execution.error == "OrderNotFound" and one.execution.event.order_reference is None


def _without_order(lacking: list[Open]) -> Iterator[Finding]:
    if lacking:
        yield Finding(
            LINK,
            "broken",
            f"{pluralize(len(lacking), 'payment')} came without metadata.order_id, and no order knows the session:"
            f" {_examples(lacking)}.",
            "order_id_missing",
            "Look the payment up in Stripe. If another application took it, leave it alone, and deploy with"
            " StripeAccountShared=true if that is usual. If this shop opened its Checkout Session, find its order, then"
            f" run:\ncachao replay {lacking[0].execution.name} --order NUMBER\n{_of_dashboard(lacking)}",
            NO_ORDER_ID,
            waits=True,
        )


def _by_error(failed: list[Open]) -> Iterator[Finding]:
    for error, number in Counter(error_of(one.execution) for one in failed).most_common():
        examples = [one for one in failed if error_of(one.execution) == error]
        # What ended without an error of its own has the entry of its alarm.
        entry = _ENTRIES.get(error) or error.replace(".", "").lower()
        yield Finding(
            LINK,
            "broken",
            f"{pluralize(number, 'execution')} of the last 24 hours failed with {error}, still open:"
            f" {_examples(examples)}.",
            "executions_failing",
            f"See docs/runbook.md#{entry}. The step that failed:\ncachao show {examples[0].execution.name}\nWhen the"
            f" cause is mended:\ncachao replay --failed --since 2d --error {error}"
            + (f"\n{_of_dashboard(examples)}" if error in _BY_HAND else ""),
            NOT_PROCESSED,
            waits=error in _OF_ONE_PAYMENT or not any(_is_of_now(one) for one in examples),
        )


def _is_of_now(one: Open) -> bool:
    return (one.execution.stopped or one.execution.started) >= datetime.now(UTC) - _OF_NOW


def _of_dashboard(told: list[Open]) -> str:
    return _SEEN if all(one.watched for one in told) else _UNSEEN


def _slow(environment: Environment) -> Iterator[Finding]:
    before = datetime.now(UTC) - _RUNS_LONG
    # Newest first, so the slow ones are the last: all have to be gone through.
    running = list(islice(executions.listed(environment, status=executions.RUNNING), _MOST_RUNNING))
    slow = [found for found in running if found["startDate"] < before]
    least = "At least " if len(running) == _MOST_RUNNING else ""
    if slow:
        says = (
            f"{least}{pluralize(len(slow), 'execution')} running for more than half an hour, since"
            f" {moment(slow[-1]['startDate'])} UTC: {slow[-1]['name']}."
        )
    elif least:
        says = f"{least}{pluralize(len(running), 'execution')} running at the same time: they pile up."
    else:
        return
    yield Finding(
        LINK,
        "broken",
        says,
        "executions_slow",
        "They retry again and again. Check the database and Stripe. To see what fails:"
        f"\ncachao show {(slow or running)[-1]['name']}",
        NOT_PROCESSED,
    )


def _examples(found: list[Open]) -> str:
    names = [f"{one.execution.name} (order {one.execution.event.order_reference or 'none'})" for one in found[:3]]
    return ", ".join(names) + (" and more" if len(found) > len(names) else "")
