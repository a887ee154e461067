"""Proves the way: an unpaid Checkout Session of our own, ended at once, whose event must end an execution as Ignored.

The session names no order, so the workflow changes nothing. Killed before it is ended, the session ends by itself
within the hour, in the same way.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.connect import ownership
from cachao.connect.steps import Report
from cachao.problems import Problem
from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import OWN_SOURCE

if TYPE_CHECKING:
    import stripe

_LOOK_EVERY_SECONDS: Final = 1.0
# Stripe's shortest time is half an hour.
_SESSION_SECONDS: Final = 35 * 60
# Clocks of this machine and of AWS differ.
_SKEW: Final = timedelta(minutes=2)
# Above Stripe's smallest amount in every currency.
_UNIT_MINOR: Final = 100_000
# By whether it comes by webhook.
_WHY_LATE: Final = {
    False: "Run it again: Stripe may be slow. If it fails again, a link is broken:",
    True: "Say the same again after five minutes: by then functions have read a new signing secret. If it stays so, a"
    " link is broken:",
}


def prove(
    environment: Environment, client: stripe.StripeClient, source: str, report: Report, *, wait_seconds: float
) -> None:
    """Send an event all the way, and wait for its execution.

    Args:
        environment: The stack.
        client: Stripe's.
        source: Over which source it must come.
        report: Is told.
        wait_seconds: How long to wait for the execution's end.

    Raises:
        Problem: it did not come, or did not end as it must.
    """
    begin = datetime.now(UTC) - _SKEW
    session_id = _unpaid_session(environment, client)
    report.add("done", f"Opened the unpaid Checkout Session {session_id}, and expired it.")
    execution = _execution_of(environment, session_id, source, begin, wait_seconds)
    if execution is None:
        raise Problem(
            f"Its event, checkout.session.expired over {source}, ended no execution within {wait_seconds:.0f} s.",
            advice=f"{_WHY_LATE[source == OWN_SOURCE]}\ncachao doctor {environment.cachao_options}",
        )
    result = _result(execution)
    if result != "Ignored":
        raise Problem(
            f"The execution {execution.name} of its event ended as {result or execution.status}, not as Ignored.",
            advice=f"Why:\ncachao show {execution.name} {environment.cachao_options}",
        )
    report.add("done", f"Its event came over {source}, and the execution {execution.name} ended as Ignored.")
    report.connected = True


def _unpaid_session(environment: Environment, client: stripe.StripeClient) -> str:
    with stripe_errors("create a Checkout Session"):
        session = client.v1.checkout.sessions.create(
            params={
                "mode": "payment",
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": environment.parameters.get("Currency", "eur"),
                            "unit_amount": _UNIT_MINOR,
                            "product_data": {"name": "Connection test: not for sale"},
                        },
                    }
                ],
                "metadata": {ownership.KEY: ownership.mark(environment)},
                "success_url": environment.parameters.get("FrontendUrl", "https://example.com"),
                "expires_at": int(time.time()) + _SESSION_SECONDS,
            }
        )
    with stripe_errors(f"expire the Checkout Session {session.id}"):
        client.v1.checkout.sessions.expire(session.id)
    return session.id


def _execution_of(
    environment: Environment, session_id: str, source: str, since: datetime, wait_seconds: float
) -> Execution | None:
    """Look through the executions that begin now for the one that has the session in its input."""
    deadline = time.monotonic() + wait_seconds
    others: set[str] = set()
    while True:
        started = [found["executionArn"] for found in executions.listed(environment, since=since)]
        for execution in executions.describe_all(environment, [arn for arn in started if arn not in others]):
            if session_id not in execution.input or execution.event.source != source:
                others.add(execution.arn)
            elif execution.status != executions.RUNNING:
                return execution
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOOK_EVERY_SECONDS)


def _result(execution: Execution) -> str | None:
    try:
        said = json.loads(execution.output or "")
    except ValueError:
        return None
    result = said.get("result") if isinstance(said, dict) else None
    return result if isinstance(result, str) else None
