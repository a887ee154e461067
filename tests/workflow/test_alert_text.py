"""What an alert says of where it comes from: which stack, and who sent the event."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonata import Jsonata

from tests.factories import create_order, envelope, row_of, session_of
from tests.workflow.conftest import Run
from ticketing.database import Database

MACHINE = (Path(__file__).parents[2] / "statemachine" / "ticket_payment.asl.yaml").read_text(encoding="utf-8")
SUBJECTS = re.findall(r"Subject: >-\n +\{% (.+) %\}", MACHINE)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("stack", ["a", "cachao-test", "s" * 128])
def test_a_subject_is_one_short_line_that_names_the_stack_the_error_and_the_order(subject: str, stack: str) -> None:
    # CloudFormation takes names of 128 characters, SNS subjects of 100.
    expression = Jsonata(subject.replace("${StackName}", stack))
    for error in ("AmountMismatch", "Lambda.ClientExecutionTimeoutException"):
        expression.assign("failure", {"error": error, "order": "1234567"})
        expression.assign("states", {"input": {"name": error}})
        expression.assign("order", {"order_id": 1234567})
        said = expression.evaluate(None)
        assert said == f"Cachao {stack[:30]}: {error} - order 1234567"
        assert len(said) < 100
        expression.assign("failure", {"error": error, "order": "ö\n" * 500})
        assert len(expression.evaluate(None)) < 100


def test_both_alerts_have_a_subject() -> None:
    assert len(SUBJECTS) == 2


@pytest.mark.parametrize("event_id", ["evt_reconcile_cs_test_1", "evt_1RWIaFPLMCn9OYH0FPPvZ1hz"])
def test_an_event_that_reconciliation_made_is_told_apart(
    run: Run, alerts: Callable[[], list[dict[str, Any]]], database: Database, event_id: str
) -> None:
    order = row_of(database, "ticket_orders", create_order(database))
    event = envelope("checkout.session.completed", session_of(order, amount_total=1))
    event["detail"]["id"] = event_id
    assert run(event).error == "AmountMismatch"
    [alert] = alerts()
    [line] = [line for line in alert["Message"].splitlines() if line.startswith("Stripe event: ")]
    assert line.startswith(f"Stripe event: {event_id} (checkout.session.completed)")
    assert ("made by reconciliation" in line) == event_id.startswith("evt_reconcile_")
