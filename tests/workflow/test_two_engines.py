"""Each execution of the local engine, once more on a second interpreter with the reference JSONata: the same in all."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult, function_error
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from tests.reference.faults import PAID_TWICE, Fault, ScriptedWorld, all_faults, all_inputs, answers_of
from tests.reference.interpreter import Interpreter
from tests.reference.jsonata import ReferenceJsonata
from tests.reference.recording import plain, replay
from tests.sizes import size
from tests.workflow.conftest import OUTCOMES, Ended, Play, execution_of, forget_alerts, run_alone
from tests.workflow.scenarios import SCENARIOS

Start = Callable[[Any], Ended]


def check(ended: Ended, jsonata: ReferenceJsonata) -> None:
    """See that the second interpreter goes the same way, asks the same of each task, and ends the same."""
    _, outcome = replay(ended.definition, execution_of(ended), ended.history, jsonata)
    assert outcome.status == ended.status
    assert (outcome.output or {}) == ended.output
    assert outcome.error == ended.error
    assert plain(outcome.cause) == plain(ended.cause)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_is_the_same_on_both_engines(name: str, play: Play, jsonata: ReferenceJsonata) -> None:
    check(play(name).ended, jsonata)


# --- Faults at every state --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(cloud: LocalCloud, answers: Mapping[str, Any], fault: Fault) -> Iterator[None]:
    """Let no function run: each answers as it did, but for the one with the fault."""

    def answer(invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        state = invocation.function.logical_id.removesuffix("Function")
        if state == fault.state:
            return fault.answer
        if state in answers:
            return InvokeResult(json.dumps(answers[state]).encode())
        return PAID_TWICE

    cloud.lambdas.interceptors.append(answer)
    try:
        yield
    finally:
        cloud.lambdas.interceptors.remove(answer)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_faults_at_every_state_are_the_same_on_both_engines(
    outcome: str, play: Play, cloud: LocalCloud, start: Start, jsonata: ReferenceJsonata
) -> None:
    right = play(outcome).ended
    given = json.loads(right.history[0]["executionStartedEventDetails"]["input"])
    answers = answers_of(right.history)
    faults = list(all_faults(outcome, answers))
    chosen = random.Random(outcome).sample(faults, size(5, 120))
    machine = cloud.deployment.outputs["StateMachineArn"]
    client = cloud.client("stepfunctions")
    before = client.describe_state_machine(stateMachineArn=machine)["definition"]
    client.update_state_machine(stateMachineArn=machine, definition=right.definition)
    wrong = []
    try:
        for fault in chosen:
            forget_alerts(cloud)
            with answering(cloud, answers, fault):
                ended = start(given)
            try:
                check(ended, jsonata)
            except AssertionError as error:
                wrong.append(f"{fault.state} answers {fault.name}: {ended.status} {ended.error}: {str(error)[:700]}")
    finally:
        client.update_state_machine(stateMachineArn=machine, definition=before)
    assert not wrong, "\n\n".join(wrong)


# --- No fault loses its alert -----------------------------------------------------------------------------------------


def is_told(interpreter: Interpreter) -> bool:
    """Whether the alert went out: what comes after it was entered."""
    return "NoteAlertTold" in interpreter.entered


@pytest.mark.timeout(600)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_answer_of_a_function_loses_the_alert(outcome: str, play: Play, jsonata: ReferenceJsonata) -> None:
    right = play(outcome).ended
    given = json.loads(right.history[0]["executionStartedEventDetails"]["input"])
    answers = answers_of(right.history)
    faults = list(all_faults(outcome, answers))
    lost = []
    for fault in random.Random(outcome).sample(faults, size(60, len(faults))):
        interpreter, ended = run_alone(right, ScriptedWorld(right.arn, answers, fault), given, jsonata)
        if ended.status == "FAILED" and not is_told(interpreter):
            lost.append(f"{fault.state} answers {fault.name}: {interpreter.entered[-1]}: {ended.error} {ended.cause}")
    assert lost == []


# Found by the test before.
KNOWN: Final = [
    ("paid", "CountTicketSale", {"step": "CountTicketSale"}),
    ("paid", "CountDiscountUse", {"step": "CountDiscountUse", "result": "purple"}),
    ("paid", "MarkOrderPaid", {"status": "paid"}),
    ("second payment, refunded automatically", "RefundPayment", {"step": 1, "cause": {}}),
    ("second payment, refunded automatically", "RefundPayment", {"error": {"a": 1}, "cause": []}),
]


@pytest.mark.parametrize(("outcome", "state", "answer"), KNOWN)
def test_what_lost_its_alert_once(
    outcome: str, state: str, answer: object, play: Play, jsonata: ReferenceJsonata
) -> None:
    right = play(outcome).ended
    given = json.loads(right.history[0]["executionStartedEventDetails"]["input"])
    fault = Fault(outcome, state, "known", InvokeResult(json.dumps(answer).encode()))
    interpreter, ended = run_alone(right, ScriptedWorld(right.arn, answers_of(right.history), fault), given, jsonata)
    assert ended.status == "FAILED"
    assert is_told(interpreter)


@pytest.mark.timeout(600)
def test_no_input_loses_the_alert(play: Play, jsonata: ReferenceJsonata) -> None:
    """Whatever comes in and is refused: what it names must not break the alert."""
    right = play("paid").ended
    given = json.loads(right.history[0]["executionStartedEventDetails"]["input"])
    refused = Fault("paid", "ValidateEvent", "refused", function_error("InvalidEvent", "The event is malformed."))
    inputs = list(all_inputs(given))
    for hostile in random.Random(1).sample(inputs, size(100, len(inputs))):
        interpreter, ended = run_alone(right, ScriptedWorld(right.arn, {}, refused), hostile, jsonata)
        assert ended.error == "InvalidEvent", hostile
        assert is_told(interpreter), hostile
