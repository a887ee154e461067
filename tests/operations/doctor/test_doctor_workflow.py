"""The doctor on targets, workflow and executions: each break that is made is recognised and named."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.awslambda.models import lambda_backends
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from samtranslator.yaml_helper import yaml_parse

from cachao.aws.environment import Environment
from cachao.doctor import functions as functions_of_the_stack
from cachao.doctor import permissions, recent_executions, state_machine, targets_and_dead_letters
from local.aws.lambda_answers import function_error
from tests.conftest import PARTNER_BUS, TEMPLATE
from tests.factories import create_order, envelope, row_of, session_of
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.operations.doctor.patients import Causes, Patient, Says, refused, unknowns
from tests.workflow.conftest import Ended, Run, put, started


def policy(iam: Any, role: str, name: str) -> dict[str, Any]:
    found = permissions._document(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    return {"Version": "2012-10-17", **found}


@contextlib.contextmanager
def target_of(patient: Patient, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    events = patient.client("events")
    where = {"Rule": patient.id("PartnerPaymentRule"), "EventBusName": PARTNER_BUS}
    [target] = events.list_targets_by_rule(**where)["Targets"]
    changed = json.loads(json.dumps(target))
    change(changed)
    events.put_targets(**where, Targets=[changed])
    try:
        yield
    finally:
        events.put_targets(**where, Targets=[target])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda target: target.update(Arn="arn:aws:lambda:eu-west-1:123456789012:function:old"), "target_missing"),
        (lambda target: target.pop("RoleArn"), "role_missing"),
        (lambda target: target.update(RoleArn="arn:aws:iam::123456789012:role/gone"), "role_missing"),
        (lambda target: target.pop("DeadLetterConfig"), "no_dead_letter_queue"),
    ],
)
def test_a_wrong_target_is_named(
    patient: Patient, causes: Causes, change: Callable[[dict[str, Any]], None], cause: str
) -> None:
    with target_of(patient, change):
        found = causes(targets_and_dead_letters.LINK)
    assert set(found) == {cause}
    assert found[cause].case == "Events received but not processed"


def test_a_role_without_permission_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = policy(iam, role, "StartTicketPayment")
    iam.delete_role_policy(RoleName=role, PolicyName="StartTicketPayment")
    try:
        assert set(causes(targets_and_dead_letters.LINK)) == {"permission_missing"}
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="StartTicketPayment", PolicyDocument=json.dumps(before))


def test_a_role_that_eventbridge_may_not_take_on_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = permissions._document(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    other = json.loads(json.dumps(before).replace("events.amazonaws.com", "lambda.amazonaws.com"))
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(other))
    try:
        assert set(causes(targets_and_dead_letters.LINK)) == {"role_not_trusted"}
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))


@pytest.mark.parametrize(
    ("logical_id", "bus"), [("PartnerPaymentRule", PARTNER_BUS), ("DefaultBusPaymentRule", "default")]
)
def test_a_rule_without_any_target_is_named(patient: Patient, causes: Causes, logical_id: str, bus: str) -> None:
    events, name = patient.client("events"), patient.id(logical_id).rpartition("|")[2]
    before = events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
    events.remove_targets(Rule=name, EventBusName=bus, Ids=[target["Id"] for target in before])
    try:
        found = causes(targets_and_dead_letters.LINK)
    finally:
        events.put_targets(Rule=name, EventBusName=bus, Targets=before)
    assert set(found) == {"target_missing"}
    assert "starts nothing" in found["target_missing"].says


def test_a_role_whose_policies_cannot_be_read_is_nothing_that_one_can_tell(
    patient: Patient, environment: Environment, causes: Causes, aws_says: Says
) -> None:
    aws_says("iam", "list_role_policies", refused("AccessDenied"))
    assert causes(targets_and_dead_letters.LINK) == {}
    assert causes(state_machine.LINK) == {}
    assert all(
        "states:StartExecution could not be read" in says
        for says in unknowns(environment, targets_and_dead_letters.LINK)
    )
    assert unknowns(environment, state_machine.LINK) == ["Its permission to call its functions could not be read."]


def test_the_permission_is_told_also_where_the_trust_may_not_be_looked_at(
    patient: Patient, environment: Environment, causes: Causes, aws_says: Says
) -> None:
    aws_says("iam", "get_role", refused("AccessDenied", "GetRole"))
    iam, role = patient.client("iam"), patient.id("StartWorkflowRole")
    before = policy(iam, role, "StartTicketPayment")
    iam.delete_role_policy(RoleName=role, PolicyName="StartTicketPayment")
    try:
        found = causes(targets_and_dead_letters.LINK)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="StartTicketPayment", PolicyDocument=json.dumps(before))
    assert set(found) == {"permission_missing"}
    assert any("GetRole" in says for says in unknowns(environment, targets_and_dead_letters.LINK))


class _Simulator:
    """IAM's simulator: of each resource asked for it says what a test wants, in the shapes in which IAM answers."""

    def __init__(self, allowed: set[str], *, specific: bool) -> None:
        self.allowed = allowed
        self.specific = specific

    def simulate_principal_policy(self, *, ResourceArns: list[str], **_given: Any) -> dict[str, Any]:  # noqa: N803
        decisions = ["allowed" if arn in self.allowed else "implicitDeny" for arn in ResourceArns]
        if not self.specific:
            [arn], [decision] = ResourceArns, decisions
            return {"EvaluationResults": [{"EvalResourceName": arn, "EvalDecision": decision}]}
        results = [
            {"EvalResourceName": arn, "EvalResourceDecision": decision}
            for arn, decision in zip(ResourceArns, decisions, strict=True)
        ]
        # Of several resources IAM answers one result, for the action.
        return {"EvaluationResults": [{"EvalDecision": "implicitDeny", "ResourceSpecificResults": results}]}


@pytest.mark.parametrize("specific", [False, True])
def test_each_resource_is_asked_of_the_simulator_by_itself(
    elsewhere: Environment,
    monkeypatch: pytest.MonkeyPatch,
    specific: bool,
) -> None:
    monkeypatch.setattr(Environment, "client", lambda _self, _service: _Simulator({"a", "c"}, specific=specific))
    assert permissions.denied(elsewhere, "role", "lambda:InvokeFunction", ["a", "b", "c", "d"]) == ["b", "d"]


@dataclass
class QueuePolicy:
    """The dead-letter queue's policy, which the local AWS does not deploy: put by hand, as template.yaml has it."""

    sqs: Any
    url: str
    rules: dict[str, str]

    def put(self, *logical_ids: str) -> None:
        """Let the queue take what these rules lose; without any there is no policy."""
        [statement] = yaml_parse(TEMPLATE.read_text())["Resources"]["EventDeadLetterQueuePolicy"]["Properties"][
            "PolicyDocument"
        ]["Statement"]
        given = {"Condition": {"ArnLike": {"aws:SourceArn": [self.rules[name] for name in logical_ids]}}}
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Sid": "1", "Resource": "*", **given}]}
        self.sqs.set_queue_attributes(
            QueueUrl=self.url, Attributes={"Policy": json.dumps(policy) if logical_ids else ""}
        )


@pytest.fixture
def queue_policy(patient: Patient, dead_letters: str) -> Iterator[QueuePolicy]:
    events = patient.client("events")
    rules = {
        name: events.describe_rule(Name=patient.id(name).rpartition("|")[2], EventBusName=bus)["Arn"]
        for name, bus in (("PartnerPaymentRule", PARTNER_BUS), ("DefaultBusPaymentRule", "default"))
    }
    policy = QueuePolicy(patient.client("sqs"), dead_letters, rules)
    yield policy
    policy.put()


@pytest.mark.parametrize("open_to", [["PartnerPaymentRule"], ["DefaultBusPaymentRule"], []])
def test_a_queue_that_eventbridge_may_not_use_is_named(
    elsewhere: Environment, queue_policy: QueuePolicy, open_to: list[str]
) -> None:
    queue_policy.put(*queue_policy.rules)
    assert [finding.cause for finding in targets_and_dead_letters.check(elsewhere) if finding.state == "broken"] == []
    queue_policy.put(*open_to)
    [found] = [finding for finding in targets_and_dead_letters.check(elsewhere) if finding.state == "broken"]
    assert found.cause == "queue_closed"
    assert {name for name, arn in queue_policy.rules.items() if arn in found.says} == set(queue_policy.rules) - {
        *open_to
    }


def test_of_a_rule_that_is_gone_nobody_says_that_the_queue_is_closed(
    elsewhere: Environment, queue_policy: QueuePolicy, aws_says: Says
) -> None:
    aws_says("events", "describe_rule", refused("ResourceNotFoundException", "DescribeRule"))
    assert [finding.cause for finding in targets_and_dead_letters.check(elsewhere) if finding.state == "broken"] == []


def test_a_rule_that_may_not_be_looked_at_is_no_closed_queue(
    elsewhere: Environment, queue_policy: QueuePolicy, aws_says: Says
) -> None:
    aws_says("events", "describe_rule", refused("AccessDeniedException", "DescribeRule"))
    assert [finding.cause for finding in targets_and_dead_letters.check(elsewhere) if finding.state == "broken"] == []
    assert any("DescribeRule" in says for says in unknowns(elsewhere, targets_and_dead_letters.LINK))


def test_dead_letters_are_counted_and_their_reason_is_told(patient: Patient, causes: Causes, dead_letters: str) -> None:
    patient.client("sqs").send_message(
        QueueUrl=dead_letters,
        MessageBody="{}",
        MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}},
    )
    found = causes(targets_and_dead_letters.LINK)
    assert set(found) == {"dead_letters"}
    assert "NO_PERMISSIONS (1)" in found["dead_letters"].says
    assert "cachao replay --local --dead-letters" in found["dead_letters"].todo


def test_a_role_that_may_not_call_a_function_is_named(patient: Patient, causes: Causes) -> None:
    iam, role = patient.client("iam"), patient.id("TicketPaymentStateMachineRole")
    name = "TicketPaymentStateMachineRolePolicy0"
    before = policy(iam, role, name)
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        found = causes(state_machine.LINK)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(before))
    assert set(found) == {"invoke_permission_missing"}
    assert "ValidateEventFunction" in found["invoke_permission_missing"].says


def test_a_workflow_that_is_not_there_is_named(patient: Patient, environment: Environment, causes: Causes) -> None:
    machines = stepfunctions_parser_backends[patient.cloud.account_id][patient.cloud.region].state_machines
    ours = next(machine for machine in machines if machine.arn == environment.state_machine_arn)
    machines.remove(ours)
    try:
        assert set(causes(state_machine.LINK)) == {"state_machine_missing"}
    finally:
        machines.append(ours)


def test_a_workflow_without_its_alias_is_named(patient: Patient, environment: Environment, causes: Causes) -> None:
    client = patient.client("stepfunctions")
    where = {"stateMachineAliasArn": environment.workflow_arn}
    routes = client.describe_state_machine_alias(**where)["routingConfiguration"]
    client.delete_state_machine_alias(**where)
    try:
        assert set(causes(state_machine.LINK)) == {"alias_missing"}
    finally:
        client.create_state_machine_alias(name="live", routingConfiguration=routes)


def test_a_deployment_under_way_is_told(patient: Patient, environment: Environment) -> None:
    client = patient.client("stepfunctions")
    alias = client.describe_state_machine_alias(stateMachineAliasArn=environment.workflow_arn)
    [route] = alias["routingConfiguration"]
    version = patient.cloud.publish()
    patient.cloud.point_alias(route["stateMachineVersionArn"], canary=version)
    try:
        [finding] = state_machine.check(environment)
    finally:
        patient.cloud.point_alias(route["stateMachineVersionArn"])
    assert finding.state == "fine"
    old, new = route["stateMachineVersionArn"].rpartition(":")[2], version.rpartition(":")[2]
    assert f"A deployment is under way: it starts 90 % version {old} and 10 % version {new}." in finding.says


def test_settings_that_no_version_has_are_named(patient: Patient, causes: Causes) -> None:
    client, name = patient.client("lambda"), patient.id("CountTicketSaleFunction")
    before = client.get_function_configuration(FunctionName=name)["MemorySize"]
    client.update_function_configuration(FunctionName=name, MemorySize=before * 2)
    try:
        found = causes(state_machine.LINK)
    finally:
        client.update_function_configuration(FunctionName=name, MemorySize=before)
    assert set(found) == {"settings_not_in_effect"}
    assert "runs version 1 of" in found["settings_not_in_effect"].says
    assert "MemorySize" in found["settings_not_in_effect"].says


def test_a_workflow_that_is_being_deleted_is_named(patient: Patient, causes: Causes, aws_says: Says) -> None:
    aws_says("stepfunctions", "describe_state_machine", {"status": "DELETING"})
    found = causes(state_machine.LINK)
    assert set(found) == {"state_machine_inactive"}
    assert "DELETING" in found["state_machine_inactive"].says


@contextlib.contextmanager
def function_of(patient: Patient, logical_id: str) -> Iterator[Any]:
    kept = lambda_backends[patient.cloud.account_id][patient.cloud.region]._lambdas._functions
    name = patient.id(logical_id)
    before = kept[name]
    state = before["latest"].state
    try:
        yield kept
    finally:
        kept[name] = before
        before["latest"].state = state


def test_a_function_that_is_not_there_is_named(patient: Patient, causes: Causes) -> None:
    with function_of(patient, "CountTicketSaleFunction") as functions:
        del functions[patient.id("CountTicketSaleFunction")]
        found = causes(functions_of_the_stack.LINK)
        assert causes(state_machine.LINK) == {}  # told once
    assert set(found) == {"function_missing"}
    assert "CountTicketSaleFunction" in found["function_missing"].says


@pytest.mark.parametrize("state", ["Failed", "Pending"])
def test_a_function_that_cannot_run_is_named(patient: Patient, causes: Causes, state: str) -> None:
    with function_of(patient, "CountTicketSaleFunction") as functions:
        functions[patient.id("CountTicketSaleFunction")]["latest"].state = state
        found = causes(functions_of_the_stack.LINK)
    assert set(found) == {"function_not_active"}
    assert "CountTicketSaleFunction" in found["function_not_active"].says
    assert f" is {state}" in found["function_not_active"].says


def test_a_function_that_only_sleeps_is_fine(patient: Patient, causes: Causes) -> None:
    with function_of(patient, "CountTicketSaleFunction") as functions:
        functions[patient.id("CountTicketSaleFunction")]["latest"].state = "Inactive"
        assert causes(functions_of_the_stack.LINK) == {}


@pytest.mark.parametrize("state", [None, "Failed"])
def test_a_version_that_is_gone_or_cannot_run_is_named(
    patient: Patient, environment: Environment, state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Environment.client

    class Versions:
        def __init__(self, real: Any) -> None:
            self.real = real

        def get_function_configuration(self, *, FunctionName: str) -> Any:  # noqa: N803
            if not FunctionName.endswith(":1"):
                return self.real.get_function_configuration(FunctionName=FunctionName)
            if state is None:
                raise refused("ResourceNotFoundException")
            return {"State": state, "StateReason": "Its image is gone."}

    def client(self: Environment, service: str) -> Any:
        real = original(self, service)
        return Versions(real) if service == "lambda" else real

    monkeypatch.setattr(Environment, "client", client)
    found = {finding.cause for finding in state_machine.check(environment) if finding.state == "broken"}
    assert found == {"function_missing" if state is None else "function_not_active"}


@pytest.mark.parametrize("logical_id", ["MarkOrderPaidFunction", "CreateCheckoutFunction", "ReconcileOrdersFunction"])
def test_a_function_that_somebody_switched_off_is_named(patient: Patient, causes: Causes, logical_id: str) -> None:
    client, name = patient.client("lambda"), patient.id(logical_id)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        found = causes(functions_of_the_stack.LINK)
    finally:
        client.delete_function_concurrency(FunctionName=name)
    assert set(found) == {"function_switched_off"}
    assert (
        f"delete-function-concurrency --region eu-west-1 --endpoint-url {patient.cloud.endpoint_url} --function-name"
        in (found["function_switched_off"].todo)
    )


def test_the_checkout_gets_back_what_the_deployment_reserves_for_it(
    patient: Patient, environment: Environment, causes: Causes
) -> None:
    environment.parameters["CheckoutConcurrency"] = "50"
    client, name = patient.client("lambda"), patient.id("CreateCheckoutFunction")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        todo = causes(functions_of_the_stack.LINK)["function_switched_off"].todo
    finally:
        client.delete_function_concurrency(FunctionName=name)
    assert "put-function-concurrency" in todo
    assert "--reserved-concurrent-executions 50" in todo


# --- Executions ----------------------------------------------------------------------------------------------------


def ended_as(patient: Patient, name: str, status: ExecutionStatus) -> None:
    """Change how an execution ended: without an error of its own."""
    machines = stepfunctions_parser_backends[patient.cloud.account_id][patient.cloud.region].state_machines
    execution = next(one for machine in machines for one in machine.executions if one.name == name)
    execution.exec_status = status
    execution.error = None


@dataclass
class Held:
    """Executions that stand at their first step, until they may go on."""

    patient: Patient
    may_go_on: threading.Event

    def put(self, event: dict[str, Any]) -> str:
        """Start one; gives its ARN."""
        before = started(self.patient.cloud)
        put(self.patient.cloud, event)
        [arn] = started(self.patient.cloud)[len(before) :]
        return arn

    def abort(self, arn: str) -> None:
        """Stop one by hand."""
        self.patient.client("stepfunctions").stop_execution(executionArn=arn)
        self.may_go_on.set()
        self.patient.cloud.wait_for_execution(arn)
        # moto ends it as FAILED, with an error; AWS as ABORTED, with none.
        ended_as(self.patient, arn.rpartition(":")[2], ExecutionStatus.ABORTED)


@pytest.fixture
def held(patient: Patient) -> Iterator[Held]:
    may_go_on = threading.Event()

    def hold(invocation: Any, proceed: Any) -> Any:
        if invocation.function.logical_id == "ValidateEventFunction":
            may_go_on.wait(30)
        return proceed(invocation)

    patient.cloud.lambdas.interceptors.append(hold)
    yield Held(patient, may_go_on)
    may_go_on.set()


@pytest.fixture
def running(held: Held) -> str:
    """A payment's execution that is held."""
    return held.put(paid_event(held.patient.database, create_order(held.patient.database)))


def test_executions_that_run_for_too_long_are_named(
    patient: Patient, causes: Causes, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert causes(recent_executions.LINK) == {}
    monkeypatch.setattr(recent_executions, "_RUNS_LONG", timedelta(hours=-1))
    found = causes(recent_executions.LINK)
    assert set(found) == {"executions_slow"}
    assert found["executions_slow"].says.startswith("1 execution running")
    assert running.rpartition(":")[2] in found["executions_slow"].says


def test_the_slow_ones_are_found_below_a_pile_of_new_ones(
    patient: Patient, environment: Environment, aws_says: Says
) -> None:
    now = datetime.now(UTC)
    pile = [{"name": f"new-{number}", "startDate": now, "status": "RUNNING"} for number in range(600)]
    old = {"name": "old", "startDate": now - timedelta(hours=2), "status": "RUNNING"}
    aws_says("stepfunctions", "list_executions", {"executions": [*pile, old]})
    found = list(recent_executions._slow(environment))
    assert "old" in found[0].says


def test_more_than_can_be_gone_through_is_a_pile_up(
    patient: Patient, environment: Environment, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_executions, "_MOST_RUNNING", 1)
    [found] = recent_executions._slow(environment)
    assert found.says == "At least 1 execution running at the same time: they pile up."


def test_executions_that_were_stopped_by_hand_have_their_alarms_entry(held: Held, causes: Causes, running: str) -> None:
    held.abort(running)
    found = causes(recent_executions.LINK)
    assert set(found) == {"executions_failing"}
    assert "docs/runbook.md#executionsabortedalarm" in found["executions_failing"].todo
    assert found["executions_failing"].todo.endswith("--error ABORTED")


def test_executions_that_timed_out_have_their_alarms_entry(
    patient: Patient, causes: Causes, mismatched: tuple[int, Ended]
) -> None:
    ended_as(patient, mismatched[1].name, ExecutionStatus.TIMED_OUT)
    found = causes(recent_executions.LINK)
    # moto tells no end of such a one, and other tests list it.
    ended_as(patient, mismatched[1].name, ExecutionStatus.FAILED)
    assert set(found) == {"executions_failing"}
    assert "docs/runbook.md#executionstimedoutalarm" in found["executions_failing"].todo


def test_a_failure_is_over_once_the_order_is_paid_by_the_same_payment(
    patient: Patient, causes: Causes, run: Run, mismatched: tuple[int, Ended]
) -> None:
    order_id, _ = mismatched
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}
    set_total(patient.database, order_id, 20)
    # Another event of the same payment, as the reconciliation puts one: no replay of the failed execution.
    assert run(paid_event(patient.database, order_id)).status == "SUCCEEDED"
    assert causes(recent_executions.LINK) == {}


def test_a_failure_is_open_while_its_order_is_paid_but_not_counted(
    patient: Patient, causes: Causes, run: Run, mismatched: tuple[int, Ended]
) -> None:
    order_id, _ = mismatched
    set_total(patient.database, order_id, 20)
    run(paid_event(patient.database, order_id))
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET ticket_counted_at = NULL WHERE id = %s", order_id)
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}


def test_a_second_payment_is_open_until_it_is_refunded(patient: Patient, causes: Causes, run: Run) -> None:
    order_id = create_order(patient.database)
    assert run(paid_event(patient.database, order_id)).status == "SUCCEEDED"
    twice = paid_event(patient.database, order_id, payment_intent="pi_second")
    assert run(twice).error == "DuplicatePayment"
    assert "DuplicatePayment" in causes(recent_executions.LINK)["executions_failing"].says
    with patient.database.transaction() as tx:
        tx.change("UPDATE order_payments SET refunded_minor = amount_minor WHERE payment_key = 'pi_second'")
    assert causes(recent_executions.LINK) == {}


def test_a_refund_of_a_part_leaves_it_open(patient: Patient, causes: Causes, run: Run) -> None:
    order_id = create_order(patient.database)
    run(paid_event(patient.database, order_id))
    run(paid_event(patient.database, order_id, payment_intent="pi_second"))
    with patient.database.transaction() as tx:
        tx.change("UPDATE order_payments SET refunded_minor = 1 WHERE payment_key = 'pi_second'")
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}


def test_an_expiry_is_over_once_the_order_waits_no_more(patient: Patient, causes: Causes, held: Held) -> None:
    order_id = create_order(patient.database)
    body = session_of(row_of(patient.database, "ticket_orders", order_id), payment_status="unpaid", status="expired")
    held.abort(held.put(envelope("checkout.session.expired", body)))
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}
    with patient.database.transaction() as tx:
        tx.change("UPDATE ticket_orders SET status = 'expired' WHERE id = %s", order_id)
    assert causes(recent_executions.LINK) == {}


def test_failures_stay_open_while_the_database_cannot_say(
    patient: Patient, causes: Causes, run: Run, mismatched: tuple[int, Ended]
) -> None:
    order_id, _ = mismatched
    set_total(patient.database, order_id, 20)
    run(paid_event(patient.database, order_id))
    patient.cloud.lambdas.interceptors.append(lambda _one, _proceed: function_error("DatabaseUnavailable", "Away."))
    assert set(causes(recent_executions.LINK)) == {"executions_failing"}


def test_what_may_be_settled_in_stripe_alone_says_so(causes: Causes, mismatched: tuple[int, Ended]) -> None:
    assert "settled only in Stripe's dashboard" in causes(recent_executions.LINK)["executions_failing"].todo


def test_payments_without_order_id_are_named_as_such(patient: Patient, causes: Causes, run: Run) -> None:
    order = row_of(patient.database, "ticket_orders", create_order(patient.database))
    body = session_of(order, id="cs_test_foreign", metadata={})
    ended = run(envelope("checkout.session.completed", body))
    assert ended.error == "OrderNotFound"
    found = causes(recent_executions.LINK)
    assert set(found) == {"order_id_missing"}
    assert found["order_id_missing"].case == "order_id not in metadata"
    assert ended.name in found["order_id_missing"].says


def test_failures_are_told_by_their_error_until_a_replay_repairs_them(
    patient: Patient, cachao: Cachao, causes: Causes, run: Run
) -> None:
    order_id = create_order(patient.database)
    event = envelope("checkout.session.completed", session_of(row_of(patient.database, "ticket_orders", order_id)))
    set_total(patient.database, order_id, 21)
    ended = run(event)
    found = causes(recent_executions.LINK)
    assert set(found) == {"executions_failing"}
    assert "1 execution of the last 24 hours failed with AmountMismatch" in found["executions_failing"].says
    assert "docs/runbook.md#amountmismatch" in found["executions_failing"].todo
    set_total(patient.database, order_id, 20)
    assert cachao("replay", ended.name, "--yes").exit_code == 0
    assert causes(recent_executions.LINK) == {}
