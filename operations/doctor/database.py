"""The database, seen from inside its network: reached, migrated, and no order left waiting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from operations.doctor.finding import NOT_PROCESSED, NOT_REACHING, Finding, fine
from operations.environment import Environment
from operations.output import counted, moment
from operations.problems import FunctionFailed

LINK: Final = "Database"
_ORDERS: Final = "Pending orders"
# order_inspection counts up to here.
_COUNT_AT_MOST: Final = 1000


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the functions reach the database, its schema is this version's, and no order is past its hold."""
    try:
        found = environment.invoke("InspectOrderFunction", {"health": True})
    except FunctionFailed as failure:
        yield _failed(failure)
        return
    pending = found["pending_migrations"] or []
    if pending:
        yield Finding(
            LINK,
            "broken",
            f"It lacks this version's schema: {', '.join(pending)}.",
            "migrations_pending",
            "cachao migrate — it only adds, and is safe to repeat.",
            NOT_PROCESSED,
        )
        return
    yield fine(LINK, "The functions reach it, and its schema is this version's.")
    yield from _check_orders(found["health"])


def _failed(failure: FunctionFailed) -> Finding:
    if failure.error not in {"ConfigurationError", "DatabaseUnavailable"}:
        return Finding(
            LINK,
            "broken",
            f"{failure.sentence}. So nobody can tell how the database is.",
            "inspection_failing",
            "A time-out: do its subnets have a way to Secrets Manager (VpcSubnetIds: a NAT gateway, or an endpoint)?"
            " Anything else: its log has the stack trace; deploy again (docs/deploy.md, 3).",
            NOT_PROCESSED,
        )
    if failure.error == "ConfigurationError":
        return Finding(
            LINK,
            "broken",
            failure.sentence,
            "database_misconfigured",
            "Mend the setting that it names (docs/runbook.md#configurationerror).",
            NOT_PROCESSED,
        )
    return Finding(
        LINK,
        "broken",
        failure.sentence,
        "database_unreachable",
        "Is the database up? May the functions reach it (VpcSubnetIds, VpcSecurityGroupIds, its security group)? Is the"
        " password in its secret right? Executions try again for some minutes; after that: cachao replay --failed"
        " --error DatabaseUnavailable",
        NOT_PROCESSED,
    )


def _check_orders(health: dict[str, Any]) -> Iterator[Finding]:
    late, old = health["past_hold"], health["without_hold"]
    if late:
        oldest = health["oldest_past_hold"]
        since = moment(datetime.fromisoformat(oldest)) if oldest else "-"
        yield Finding(
            _ORDERS,
            "broken",
            f"{_many(late)} unpaid and past the hold (since {since} UTC): no event came, and the reconciliation does"
            " not run, or cannot settle it.",
            "orders_past_hold",
            "cachao reconcile asks Stripe about each and says what it found. If it finds paid ones, events are lost:"
            " look at the links above.",
            NOT_REACHING,
        )
    if old:
        yield Finding(
            _ORDERS,
            "broken",
            f"{_many(old)} unpaid since before this system, and never compared with Stripe.",
            "backlog",
            "cachao reconcile --dry-run, then cachao reconcile (docs/deploy.md, 5).",
            NOT_REACHING,
        )
    if not late and not old:
        yield fine(_ORDERS, "None is past its hold.")


def _many(number: int) -> str:
    verb = "is" if number == 1 else "are"
    return f"{_COUNT_AT_MOST} or more orders are" if number >= _COUNT_AT_MOST else f"{counted(number, 'order')} {verb}"
