"""Runs executions of the real workflow with a fault in one of its tasks, and judges how they ended."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Proceed
from local.database.mariadb import MariaDB
from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect, empty_tables
from tests.faults.faults import Attempt, Fault, Machine
from tests.faults.proxy import DatabaseProxy
from tests.faults.rows import Rows, change_between, describe_difference, read_rows
from tests.faults.scenarios import SCENARIOS, Scenario, Scene
from tests.faults.tasks import LambdaTask
from tests.workflow.conftest import forget_alerts
from ticketing.database import Database

RECOVERS, MENDED, CANNOT_HAPPEN = "recovers", "alert, mended", "-"


@dataclass(frozen=True)
class Ended:
    """How an execution ended, and the alerts that came with it: `(error, order, step)` each."""

    arn: str
    status: str
    error: str | None
    result: str | None
    alerts: tuple[tuple[str, str, str], ...]
    messages: tuple[str, ...]

    @property
    def outcome(self) -> tuple[object, ...]:
        """What must be the same in two runs that come to the same."""
        return self.status, self.error, self.result, self.alerts


@dataclass
class Reference:
    """A scenario without any fault: its tasks in order, and what each did."""

    scenario: Scenario
    before: Rows
    after: Rows
    ended: Ended
    functions: list[str] = field(default_factory=list)
    changes: dict[str, Rows] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)

    def rows_without(self, task: LambdaTask, beside: list[str]) -> Rows:
        """What must be there when the task failed for good: what came before it, and what ran beside it."""
        rows = dict(self.before)
        for function in self.functions:
            if function == task.function:
                break
            if function not in beside:
                rows |= self.changes[function]
        for function in beside:
            rows |= self.changes[function]
        return rows


class Stage:
    """Stands between the workflow and its functions. One invocation at a time, so that a fault hits its task only."""

    def __init__(self) -> None:
        self.target: str | None = None
        self.act: Any = None
        self.alone = True
        self.attempts = 0
        self._turn = threading.RLock()
        self._changed = threading.Condition()
        self._running = 0

    def __call__(self, invocation: Invocation, proceed: Proceed) -> InvokeResult:
        with self._changed:
            self._running += 1
        try:
            return self._play(invocation, proceed)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait_until_empty(self) -> None:
        """Wait for functions that the workflow no longer waits for."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._running == 0, timeout=30)

    def _play(self, invocation: Invocation, proceed: Proceed) -> InvokeResult:
        with self._turn if self.alone else contextlib.nullcontext():
            if self.target not in {None, invocation.function.logical_id}:
                return proceed(invocation)
            self.attempts += 1
            result: InvokeResult = self.act(self.attempts, invocation, proceed)
            return result


class Laboratory:
    """The local cloud with its database behind the proxy.

    Args:
        cloud: runs the template.
        server: the database server.
        connect: how the tests reach the database, past the proxy.
        proxy: how the functions reach it.
        stripe: Stripe's place.
        machines: the state machine with refunds by itself, as it is, with tasks that are given up after a second, and
            with waits of seconds between attempts.
    """

    def __init__(
        self,
        cloud: LocalCloud,
        server: MariaDB,
        connect: Connect,
        proxy: DatabaseProxy,
        stripe: StripeStandIn,
        machines: Mapping[Machine, str],
    ) -> None:
        self._cloud, self._server, self._connect, self._proxy, self._stripe = cloud, server, connect, proxy, stripe
        self._machines = machines
        self._database = Database(connect)
        self._references: dict[str, Reference] = {}
        self._queue = self._subscribe()
        self.stage = Stage()

    def scenario_for(self, task: LambdaTask) -> Reference | None:
        """Give the first scenario that reaches a task; none: the matrix does not know how to test it."""
        for scenario in SCENARIOS:
            reference = self._references.get(scenario.name) or self._reference(scenario)
            if task.function in reference.functions:
                return reference
        return None

    def examine(self, task: LambdaTask, tasks: list[LambdaTask], fault: Fault) -> str:
        """Let the fault happen to the task; returns what the table says, raises AssertionError where it went wrong."""
        reference = self.scenario_for(task)
        assert reference is not None, f"no scenario reaches {task.name}: add one to tests/faults/scenarios.py"
        scene = self._prepare(reference.scenario)
        happened = threading.Event()

        def act(number: int, invocation: Invocation, proceed: Proceed) -> InvokeResult:
            commits = reference.commits[task.function]
            return fault.inject(Attempt(number, invocation, proceed, self._proxy, self._server, commits, happened))

        with self._acting(task.function, act, alone=fault.machine != "impatient"):
            try:
                ended = self._execute(scene, fault.machine)
                self.stage.wait_until_empty()
            finally:
                self._proxy.wait_until_back()
        if not happened.is_set():
            assert not self._can_happen(reference, task, fault), f"{fault.name} did not happen to {task.name}"
            self._must_have_ended_well(reference, scene, ended)
            return CANNOT_HAPPEN
        if fault.ends_as is None:
            self._must_have_ended_well(reference, scene, ended)
            return RECOVERS
        self._must_have_failed(reference, scene, ended, task, tasks, fault)
        again = self._execute(scene)
        self._must_have_ended_well(reference, scene, again)
        return MENDED

    def _can_happen(self, reference: Reference, task: LambdaTask, fault: Fault) -> bool:
        tables = {table for table, _, _ in reference.changes[task.function]}
        return {
            None: True,
            "statement": reference.statements[task.function] > 0,
            "commit": reference.commits[task.function] > 0,
            "lock": "ticket_orders" in tables,
            "two locks": "ticket_orders" in tables and len(tables) > 1,
        }[fault.needs]

    def _must_have_ended_well(self, reference: Reference, scene: Scene, ended: Ended) -> None:
        assert ended.outcome == reference.ended.outcome, (ended.outcome, reference.ended.outcome, ended.messages)
        found = self._rows(scene)
        assert found == reference.after, describe_difference(reference.after, found)

    def _must_have_failed(
        self,
        reference: Reference,
        scene: Scene,
        ended: Ended,
        task: LambdaTask,
        tasks: list[LambdaTask],
        fault: Fault,
    ) -> None:
        # What cannot be mended by itself is refunded: where that fails, the execution fails with its own error.
        own_error = reference.ended.error
        assert ended.status == "FAILED"
        assert ended.error == (own_error or fault.ends_as), (ended.error, ended.messages)
        assert len(ended.alerts) == 1, ended.alerts
        error, order, step = ended.alerts[0]
        assert error == ended.error
        assert order in {"1", "unknown"}
        assert own_error or task.name in step, step
        assert f"Execution: {ended.arn}" in ended.messages[0]
        assert "What to do now: " in ended.messages[0]
        beside = [other.function for other in tasks if other.name in task.beside]
        expected, found = reference.rows_without(task, beside), self._rows(scene)
        assert found == expected, describe_difference(expected, found)

    def _reference(self, scenario: Scenario) -> Reference:
        # The first time it may meet workers whose connections an earlier cell cut: each notices that once.
        self._run_reference(scenario)
        reference = self._run_reference(scenario)
        functions = reference.functions
        assert len(set(functions)) == len(functions), f"a task of the scenario {scenario.name} was tried twice"
        self._references[scenario.name] = reference
        return reference

    def _run_reference(self, scenario: Scenario) -> Reference:
        scene = self._prepare(scenario)
        before = self._rows(scene)
        functions: list[str] = []
        changes: dict[str, Rows] = {}
        commits: dict[str, int] = {}
        statements: dict[str, int] = {}

        def watch(_number: int, invocation: Invocation, proceed: Proceed) -> InvokeResult:
            function = invocation.function.logical_id
            then, statements_then, commits_then = self._rows(scene), self._proxy.statements, self._proxy.commits
            result = proceed(invocation)
            functions.append(function)
            changes[function] = change_between(then, self._rows(scene))
            commits[function] = self._proxy.commits - commits_then
            statements[function] = self._proxy.statements - statements_then
            return result

        with self._acting(None, watch):
            ended = self._execute(scene)
        return Reference(scenario, before, self._rows(scene), ended, functions, changes, commits, statements)

    @contextlib.contextmanager
    def _acting(self, target: str | None, act: Any, *, alone: bool = True) -> Iterator[None]:
        self.stage.target, self.stage.act, self.stage.attempts, self.stage.alone = target, act, 0, alone
        self._cloud.lambdas.interceptors.append(self.stage)
        try:
            yield
        finally:
            self._cloud.lambdas.interceptors.remove(self.stage)

    def _prepare(self, scenario: Scenario) -> Scene:
        empty_tables(self._connect)
        return scenario.prepare(self._database, self._stripe)

    def _rows(self, scene: Scene) -> Rows:
        names = dict(scene.names)
        refunds: list[dict[str, Any]] = []
        if scene.payment_at_stripe is not None:
            refunds = self._refunds_at_stripe(scene.payment_at_stripe)
            names |= {refund["id"]: f"refund {number}" for number, refund in enumerate(refunds, 1)}
            names |= {refund["charge"]: "the charge" for refund in refunds}
        rows = read_rows(self._database, names)
        for refund in refunds:
            rows["Stripe", names[refund["id"]], "amount"] = refund["amount"]
        return rows

    def _refunds_at_stripe(self, payment: str) -> list[dict[str, Any]]:
        import stripe  # noqa: PLC0415 -- slow to import, and one scenario needs it

        client = stripe.StripeClient("sk_test_local", base_addresses={"api": self._stripe.url})
        page = client.v1.refunds.list(params={"payment_intent": payment})
        return [{"id": refund.id, "amount": refund.amount, "charge": refund.charge} for refund in page.data]

    def _execute(self, scene: Scene, machine: Machine = "usual") -> Ended:
        forget_alerts(self._cloud)  # each cell's error is the first: many of one error become one alert
        arn = self._cloud.client("stepfunctions").start_execution(
            stateMachineArn=self._machines[machine], input=json.dumps(scene.envelope)
        )["executionArn"]
        execution = self._cloud.wait_for_execution(arn)
        messages = self._receive()
        return Ended(
            arn=arn,
            status=execution["status"],
            error=execution.get("error"),
            result=json.loads(execution.get("output") or "{}").get("result"),
            alerts=tuple(
                (
                    message["MessageAttributes"]["error"]["Value"],
                    message["MessageAttributes"]["order"]["Value"],
                    message["MessageAttributes"]["step"]["Value"],
                )
                for message in messages
            ),
            messages=tuple(message["Message"] for message in messages),
        )

    def _subscribe(self) -> str:
        sqs = self._cloud.client("sqs")
        queue: str = sqs.create_queue(QueueName="alerts-of-the-matrix")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = self._cloud.deployment.outputs["AlertTopicArn"]
        self._cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return queue

    def _receive(self) -> list[dict[str, Any]]:
        sqs = self._cloud.client("sqs")
        received: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                received.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return received
