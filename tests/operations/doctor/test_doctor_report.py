"""How the doctor tells what it found: causes first, each once, and commands as they are to be pasted."""

from __future__ import annotations

import io
import json

import pytest

from cachao.aws.environment import Environment
from cachao.doctor import (
    alerts,
    database,
    recent_executions,
    report,
    rules,
    schedules,
    state_machine,
    stripe_secret,
    targets_and_dead_letters,
)
from cachao.doctor.addressing import addressed
from cachao.doctor.examination import LINKS, causes_first
from cachao.doctor.finding import Finding, fine, not_local, unknown
from cachao.view.foreign_text import SafeConsole
from cachao.view.output import Output
from tests.factories import create_order
from tests.operations.conftest import Cachao
from tests.operations.doctor.patients import Patient
from tests.operations.doctor.test_doctor_workflow import policy


def broken(link: str, cause: str = "x", *, waits: bool = False) -> Finding:
    return Finding(link, "broken", f"{cause} is broken.", cause, "Mend it.", waits=waits)


# As they follow from each other, when all of it is broken.
CAUSES = [
    broken(stripe_secret.LINK),
    broken("Stripe event destination"),
    broken("Partner event source"),
    broken("Partner event bus"),
    broken(rules.LINK),
    broken(targets_and_dead_letters.LINK, "permission_missing"),
    broken(state_machine.LINK),
    broken(database.LINK),
    broken(schedules.LINK),
    broken(alerts.LINK),
    broken(recent_executions.LINK, "executions_slow"),
    broken(database.ORDERS, "orders_past_hold"),
    broken(recent_executions.LINK, "executions_failing", waits=True),
    broken(targets_and_dead_letters.LINK, "dead_letters"),
]


def test_nothing_stands_before_what_may_have_caused_it() -> None:
    assert causes_first(reversed(CAUSES)) == CAUSES
    # Each link has its place.
    causes_first([fine(link, "It is well.") for link in (*LINKS, database.ORDERS)])


def test_the_first_that_is_told_is_the_cause(
    patient: Patient, cachao: Cachao, mismatched: object, dead_letters: str
) -> None:
    """A settled payment's failure, events that wait, and the schedule that is off now."""
    patient.client("sqs").send_message(QueueUrl=dead_letters, MessageBody="{}")
    rule = patient.id("ReconcileOrdersFunctionEveryQuarterOfAnHour")
    patient.client("events").disable_rule(Name=rule)
    try:
        answer = cachao("doctor", json=True)
        text = cachao("doctor").text
    finally:
        patient.client("events").enable_rule(Name=rule)
    told = [finding["cause"] for finding in answer.data["findings"] if finding["state"] == "broken"]
    assert told == ["schedule_disabled", "executions_failing", "dead_letters"]
    assert "3 broken. Begin with the first: it may cause the others." in text


def test_what_only_waits_has_no_first_cause() -> None:
    assert "Begin with the first" not in said([broken(recent_executions.LINK, waits=True)] * 2)
    assert "None causes another: repair each." in said([broken(recent_executions.LINK, waits=True)] * 2)
    assert said([broken(rules.LINK)]).rstrip().endswith("1 broken.")


def test_a_role_that_both_rules_have_is_told_once(patient: Patient, cachao: Cachao) -> None:
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = policy(iam, role, "StartTicketPayment")
    iam.delete_role_policy(RoleName=role, PolicyName="StartTicketPayment")
    try:
        answer = cachao("doctor", json=True)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="StartTicketPayment", PolicyDocument=json.dumps(before))
    assert answer.data["broken"] == 1


# --- What is printed -----------------------------------------------------------------------------------------------

LONG = "aws events enable-rule --event-bus-name aws.partner/stripe.com/ed_test_1234567890 --name cachao-PartnerRule"


@pytest.fixture
def narrow() -> tuple[Output, io.StringIO]:
    """A terminal of 60 columns."""
    output, screen = Output(), io.StringIO()
    output._answers = SafeConsole(file=screen, width=60, force_terminal=True, color_system=None, highlight=False)
    return output, screen


def said(findings: list[Finding], to: tuple[Output, io.StringIO] | None = None) -> str:
    output, screen = to or (Output(), io.StringIO())
    if to is None:
        output._answers = SafeConsole(file=screen, width=200, force_terminal=True, color_system=None, highlight=False)
    output.answer(None, *report.shown("cachao", findings))
    return screen.getvalue()


def test_a_command_has_a_line_of_its_own_however_narrow_the_terminal(narrow: tuple[Output, io.StringIO]) -> None:
    todo = f"Enable it:\n{LONG}\nThen recover what was missed:\ncachao reconcile --since 3d"
    finding = Finding(rules.LINK, "broken", "The rule is disabled. " * 9, "rule_disabled", todo)
    lines = [line.strip() for line in said([finding], narrow).splitlines()]
    assert LONG in lines
    assert "cachao reconcile --since 3d" in lines
    # What is no command is folded beside its link.
    assert all(len(line) <= 60 for line in lines if line != LONG)


def test_a_command_within_a_sentence_stays_there(elsewhere: Environment) -> None:
    finding = Finding(targets_and_dead_letters.LINK, "broken", "", "x", "What cachao show EXECUTION says.")
    assert "\n" not in addressed(elsewhere, finding).todo


def test_what_is_only_on_aws_is_nothing_that_could_not_be_told(patient: Patient, cachao: Cachao) -> None:
    answer = cachao("doctor", json=True)
    states = [finding["state"] for finding in answer.data["findings"]]
    assert "only on AWS" in states
    assert answer.data["cannot_tell"] == states.count("cannot tell") == 0
    assert "cannot tell" not in said([not_local(alerts.LINK, "It is not measured.")])
    assert "cannot tell" in said([unknown(alerts.LINK, "It is not measured.")])


# --- Orders that wait ----------------------------------------------------------------------------------------------


def pending(cachao: Cachao) -> dict[str, str]:
    answer = cachao("doctor", json=True)
    [found] = [finding for finding in answer.data["findings"] if finding["link"] == database.ORDERS]
    assert found["state"] == "fine"
    return {"says": found["says"], "todo": found["todo"]}


def test_orders_that_wait_for_the_reconciliation_are_told(patient: Patient, cachao: Cachao) -> None:
    assert pending(cachao) == {"says": "None is past its hold.", "todo": ""}
    create_order(patient.database)
    create_order(patient.database, stripe_checkout_session_id=None)  # the buyer has not got to Stripe
    one = pending(cachao)
    assert one["says"].startswith("1 order is pending, none past its hold")
    assert one["todo"].endswith("\ncachao reconcile --local --since 1d")
    create_order(patient.database)
    assert pending(cachao)["says"].startswith("2 orders are pending")
