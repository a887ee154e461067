"""The database, seen from inside its network: reached, migrated, and no order left waiting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor import database_trouble, mariadb_versions
from cachao.doctor.advice import REDEPLOY, store_secret
from cachao.doctor.finding import NOT_PROCESSED, NOT_REACHING, Finding, fine
from cachao.problems import FunctionFailed
from cachao.view.output import moment, pluralize
from ticketing.orders.status import OrderStatus

LINK: Final = "Database"
ORDERS: Final = "Pending orders"
# order_inspection counts up to here.
_COUNT_AT_MOST: Final = 1000
# A hold lasts as long as its Checkout Session, which is at most this.
_LONGEST_HOLD: Final = timedelta(days=1)
# InspectOrder lists as many.
_LIST_AT_MOST: Final = 200
# In Lambda's own words; the error's name is not always there.
_TIMED_OUT: Final = "timed out"
_REPLAY: Final = "cachao replay --failed --since 2d --error DatabaseUnavailable"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the functions reach the database, its schema is this version's, and no order is past its hold."""
    try:
        found = environment.invoke("InspectOrderFunction", {"health": True})
    except FunctionFailed as failure:
        yield _failed(environment, failure)
        return
    pending = found["pending_migrations"] or []
    if pending:
        yield _broken(
            "migrations_pending",
            f"It lacks migrations of this version: {', '.join(pending)}.",
            "Run them; this is safe to repeat:\ncachao migrate",
        )
        return
    # A function of an older deployment does not look at that.
    obstacle = found["health"].get("write_obstacle")
    if obstacle:
        yield _broken(
            "writes_refused",
            obstacle,
            "Whoever administers the server changes that setting. Then replay what failed:"
            "\ncachao replay --failed --since 2d --error ConfigurationError",
        )
        return
    yield fine(LINK, "The functions reach it, it accepts their writes, and its schema is up to date.")
    yield from _check_version(found["health"].get("server_version") or "", datetime.now(UTC).date())
    waiting = list(_check_orders(found["health"]))
    yield from waiting or [_none_late(_number_pending(environment))]


def _check_version(version: str, today: date) -> Iterator[Finding]:
    says = mariadb_versions.why_not_maintained(version, today)
    if says is not None:
        # Payments go on; what it lacks are fixes of security holes.
        yield Finding(LINK, "fine", says, todo="Plan an upgrade to a release that is (docs/deploy.md, What you need).")


def _failed(environment: Environment, failure: FunctionFailed) -> Finding:
    if failure.error == "ConfigurationError":
        return _broken(
            "database_misconfigured",
            failure.sentence,
            "Mend the setting that it names (docs/runbook.md#configurationerror). A parameter of the stack:"
            f"\ncachao redeploy --set NAME=VALUE\nThe secret: {_store(environment)}"
            "\nThen:\ncachao replay --failed --since 2d --error ConfigurationError",
        )
    if failure.error == "DatabaseUnavailable":
        return _broken(
            "database_unreachable",
            failure.sentence,
            "Is the database up, and does it answer? May the functions reach it (VpcSubnetIds, VpcSecurityGroupIds, its"
            f" security group)? If it refuses the password: {_store(environment)}"
            f"\nExecutions try again for some minutes; after that:\n{_REPLAY}",
        )
    if _TIMED_OUT in failure.sentence:
        return _timed_out(failure, database_trouble.failures_of_executions(environment))
    return _broken(
        "inspection_failing",
        f"{failure.sentence}. So the state of the database is unknown.",
        f"Its log has the stack trace:\n{_log(environment)}\n{REDEPLOY}",
    )


def _timed_out(failure: FunctionFailed, also: str) -> Finding:
    """Say what a time-out means. A database that hangs answers nothing at all, not even with an error."""
    if also:
        return _broken(
            "database_unreachable",
            f"{failure.sentence}, and {also}: the database hangs, or cannot be reached.",
            "Is it up, does it answer, is it out of connections (docs/runbook.md#databaseunavailable)? Executions try"
            f" again for some minutes; after that:\n{_REPLAY}",
        )
    return _broken(
        "inspection_failing",
        f"{failure.sentence}. So the state of the database is unknown.",
        "Check the database first, it is the likelier cause: is it up, does it hang, is it out of connections"
        " (docs/runbook.md#databaseunavailable)? If it is well: do the functions' subnets have a way to it and to"
        " Secrets Manager (VpcSubnetIds: a NAT gateway, or an endpoint)? Then what failed meanwhile:\n" + _REPLAY,
    )


def _store(environment: Environment) -> str:
    content = '{"host": "…", "port": 3306, "username": "…", "password": "…", "dbname": "…"}'
    return store_secret(environment.parameters.get("DatabaseSecretArn", ""), content, "database.json")


def _log(environment: Environment) -> str:
    if environment.logs_directory is not None:
        return f"tail {environment.logs_directory / 'InspectOrderFunction.log'}"
    # The streams of a group that several functions share begin with the date, not with the function's name.
    return f"aws logs tail {environment.output('FunctionLogGroupName')} --since 1h --filter-pattern '?ERROR ?timed'"


def _check_orders(health: dict[str, Any]) -> Iterator[Finding]:
    late, old = health["past_hold"], health["without_hold"]
    if late:
        oldest = health["oldest_past_hold"]
        since = moment(datetime.fromisoformat(oldest)) if oldest else "-"
        yield Finding(
            ORDERS,
            "broken",
            f"{_many(late)} unpaid and past the hold (since {since} UTC): no event came, and the reconciliation does"
            " not run, or cannot settle it.",
            "orders_past_hold",
            "Ask Stripe about each, and see what it finds:\ncachao reconcile\nPaid ones: events are lost on their way"
            " (docs/runbook.md#events-not-reaching-eventbridge).",
            NOT_REACHING,
        )
    if old:
        yield Finding(
            ORDERS,
            "broken",
            f"{_many(old)} unpaid since before this shop was deployed, and never compared with Stripe.",
            "backlog",
            "Look first, then settle them (docs/deploy.md):\ncachao reconcile --dry-run\ncachao reconcile",
            NOT_REACHING,
        )


def _none_late(pending: int) -> Finding:
    if not pending:
        return fine(ORDERS, "None is past its hold.")
    # A link that was broken until now is fine again, and shows nothing of the payments that it lost.
    return Finding(
        ORDERS,
        "fine",
        f"{_many(pending, _LIST_AT_MOST)} pending, none past its hold: the reconciliation asks Stripe about each when"
        " that is over.",
        todo="If events were lost today, do not wait for that:\ncachao reconcile --since 1d",
    )


def _number_pending(environment: Environment) -> int:
    """Count the orders that were taken to Stripe and may still become paid."""
    since = (datetime.now(UTC) - _LONGEST_HOLD).isoformat()
    wanted = {"since": since, "status": OrderStatus.PENDING, "limit": _LIST_AT_MOST}
    try:
        listed = environment.invoke("InspectOrderFunction", {"orders": wanted})["orders"]
    except FunctionFailed:
        return 0  # it has just answered; this is no more than a hint
    return sum(order["stripe_checkout_session_id"] is not None for order in listed["orders"])


def _many(number: int, at_most: int = _COUNT_AT_MOST) -> str:
    verb = "is" if number == 1 else "are"
    return f"{at_most} or more orders are" if number >= at_most else f"{pluralize(number, 'order')} {verb}"


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_PROCESSED)
