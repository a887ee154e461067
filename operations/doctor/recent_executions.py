"""What the workflow did lately: failures that nobody has repaired, by their error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from operations import executions, replay
from operations.doctor.finding import NO_ORDER_ID, NOT_PROCESSED, Finding, fine
from operations.environment import Environment
from operations.executions import Execution
from operations.output import counted

LINK: Final = "Recent executions"
_LOOK_BACK: Final = timedelta(days=1)
_MOST: Final = 500
# Each is a request of its own.
_MOST_FAILED: Final = 200
_RUNS_LONG: Final = timedelta(minutes=30)


def check(environment: Environment) -> Iterator[Finding]:
    """Whether executions of the last 24 hours failed and were not repaired by a replay, and which run for too long."""
    since = datetime.now(UTC) - _LOOK_BACK
    succeeded = sum(1 for _ in islice(executions.listed(environment, status="SUCCEEDED", since=since), _MOST))
    recent = executions.recent(environment, statuses=executions.FAILED, since=since, limit=_MOST_FAILED)
    # A replay that failed again is the same trouble, not a second one; one that succeeded ended it.
    plans = replay.plan(environment, recent, named=False)
    failed = [planned.original for planned in plans if planned.intention != "repaired already"]
    problems = [*_without_order(failed), *_by_error(failed), *_slow(environment)]
    yield from problems
    if not problems:
        yield fine(LINK, _said(succeeded))


def _said(number: int) -> str:
    if not number:
        return "There was none in the last 24 hours."
    return f"{'At least ' if number == _MOST else ''}{number} succeeded in the last 24 hours; none failed unrepaired."


def _without_order(failed: list[Execution]) -> Iterator[Finding]:
    lacking = [found for found in failed if found.error == "OrderNotFound" and found.event.order_reference is None]
    if lacking:
        yield Finding(
            LINK,
            "broken",
            f"{counted(len(lacking), 'payment')} came without metadata.order_id, and no order knows the session:"
            f" {_examples(lacking)}.",
            "order_id_missing",
            "Was the Checkout Session made by something else than this shop's checkout? It must set metadata.order_id"
            " on the session itself: on the PaymentIntent or the product is not enough. Look the payment up in Stripe."
            " Where its order exists: cachao replay EXECUTION --order NUMBER; otherwise refund it in Stripe.",
            NO_ORDER_ID,
        )


def _by_error(failed: list[Execution]) -> Iterator[Finding]:
    others = [found for found in failed if not (found.error == "OrderNotFound" and found.event.order_reference is None)]
    for error, number in Counter(found.error or found.status for found in others).most_common():
        examples = [found for found in others if (found.error or found.status) == error]
        anchor = error.replace(".", "").lower()
        yield Finding(
            LINK,
            "broken",
            f"{counted(number, 'execution')} of the last 24 hours failed with {error}, unrepaired:"
            f" {_examples(examples)}.",
            "executions_failing",
            f"See docs/runbook.md#{anchor}; cachao show EXECUTION names the step. When the cause is mended:"
            f" cachao replay --failed --since 1d --error {error}",
            NOT_PROCESSED,
        )


def _slow(environment: Environment) -> Iterator[Finding]:
    before = datetime.now(UTC) - _RUNS_LONG
    running = islice(executions.listed(environment, status=executions.RUNNING), _MOST)
    slow = [found for found in running if found["startDate"] < before]
    if slow:
        yield Finding(
            LINK,
            "broken",
            f"{counted(len(slow), 'execution')} running for more than half an hour, e.g. {slow[0]['name']}.",
            "executions_slow",
            "They are trying again and again: cachao show EXECUTION says what fails. The database, or Stripe?",
            NOT_PROCESSED,
        )


def _examples(found: list[Execution]) -> str:
    names = [f"{one.name} (order {one.event.order_reference or 'none'})" for one in found[:3]]
    return ", ".join(names) + (" and more" if len(found) > len(names) else "")
