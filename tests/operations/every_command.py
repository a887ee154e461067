"""Every command, in each way that it can be said, on the local cloud reached as AWS is: scenarios for several tests."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner, Result

from cachao.aws.environment import Choice, Environment, find
from cachao.cli import app
from cachao.page.application import Page
from cachao.page.guard import Guard
from cachao.policy import places
from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import function_error
from tests.factories import create_order, create_ticket, row_of
from tests.operations.conftest import paid_event
from tests.operations.connect.site import Site
from tests.operations.deployment import Deployment
from tests.operations.doctor.patients import Patient
from tests.operations.doctor.test_doctor_rules import OWN, another_rule
from tests.operations.page.conftest import Browser
from tests.operations.recorded import Recorder
from tests.operations.replay.test_replay import send_dead_letter
from tests.operations.test_commands import late_order
from tests.operations.test_dispute import open_dispute
from tests.workflow.conftest import Ended
from ticketing.database import Database


@pytest.fixture
def recorder(on_aws: None, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder(cloud)
    original = Environment.client

    def client(self: Environment, service: str) -> Any:
        made = original(self, service)
        recorder.listen(made)
        return made

    monkeypatch.setattr(Environment, "client", client)
    return recorder


class Stage:
    """Runs commands on a local cloud that is reached as AWS is; what they need is made when it is first asked for."""

    def __init__(self, recorder: Recorder, cloud: LocalCloud, request: pytest.FixtureRequest) -> None:
        self.recorder = recorder
        self.cloud = cloud
        self.database: Database = request.getfixturevalue("database")
        self.given: Callable[[str], Any] = request.getfixturevalue
        self.results: list[Result] = []

    def run(self, *words: object, given: str | None = None) -> None:
        result = CliRunner().invoke(app, [*map(str, words), "--region", self.cloud.region], input=given)
        self.results.append(result)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception

    @cached_property
    def stack(self) -> places.Stack:
        return places.deployed(find(Choice(stack="cachao-local", region=self.cloud.region)))

    @cached_property
    def failed(self) -> tuple[int, Ended]:
        found: tuple[int, Ended] = self.given("mismatched")
        return found

    @cached_property
    def paid(self) -> int:
        return int(self.given("doubly_paid")[0])

    def dead_letters(self, order_id: int, **fields: Any) -> None:
        self.given("dead_letters")
        send_dead_letter(self.cloud, json.dumps(paid_event(self.database, order_id, **fields)))
        send_dead_letter(self.cloud, "no event")


Scenario = Callable[[Stage], None]
SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(*said: str) -> Callable[[Scenario], Scenario]:
    def keep(play: Scenario) -> Scenario:
        SCENARIOS.update(dict.fromkeys(said, play))
        return play

    return keep


@scenario("executions")
def _executions(stage: Stage) -> None:
    assert stage.failed
    stage.run("executions", "--failed")


@scenario("executions --order")
def _executions_of_an_order(stage: Stage) -> None:
    # Of the executions that changed it one failed: the second payment.
    stage.run("executions", "--order", stage.paid)


@scenario("books")
def _books(stage: Stage) -> None:
    stage.run("books", "--since", "2020-01-01", "--until", "2020-01-02")
    stage.run("books", "--payout", "po_1none")


@scenario("orders", "disputes")
def _lists(stage: Stage) -> None:
    stage.run("orders")
    stage.run("orders", "--csv")
    stage.run("disputes")


@scenario("dispute")
def _dispute(stage: Stage) -> None:
    Path("scan.pdf").write_bytes(b"%PDF-1.7")
    opened = open_dispute(stage.database, stage.given("stripe_stand_in"), create_order(stage.database))
    stage.run("dispute", opened["id"], "--evidence", "scan.pdf", "--submit", "--yes")


@scenario("stripe")
def _stripe(stage: Stage) -> None:
    stage.run("stripe", stage.paid)


@scenario("show")
def _show(stage: Stage) -> None:
    order_id, ended = stage.failed
    for words in ((order_id,), (ended.name,), (ended.name[:20],), ("cs_test_unknown",)):
        stage.run("show", *words)


@scenario("show --picture")
def _show_a_picture(stage: Stage) -> None:
    _show(stage)
    stage.run("show", stage.failed[1].name, "--picture", "way.svg")


@scenario("watch")
def _watch(stage: Stage) -> None:
    with one_that_waits(stage):
        stage.run("watch", "--for", "0.4", "--every", "0.2")


@scenario("page")
def _page(stage: Stage) -> None:
    order_id, ended = stage.failed
    stage.dead_letters(order_id)
    page = Page(find(Choice(stack="cachao-local", region=stage.cloud.region)), Guard(sessions=None), changes=True)
    try:
        browser = Browser(page)
        browser.wait_for_a_row()
        for path in (f"executions/{ended.name}", f"orders/{order_id}", "alerts", "dead-letters"):
            browser.get(f"/api/{path}")
        browser.get("/api/orders", {})
    finally:
        page.close()


@contextmanager
def one_that_waits(stage: Stage) -> Iterator[None]:
    """An execution that runs as long as this does: its step is asked for."""
    begun, over = threading.Event(), threading.Event()

    def wait(invocation: Any, proceed: Callable[[Any], Any]) -> Any:
        if invocation.function.logical_id == "ValidateEventFunction":
            begun.set()
            over.wait(60)
        return proceed(invocation)

    stage.cloud.lambdas.interceptors.append(wait)
    stage.cloud.client("stepfunctions").start_execution(
        stateMachineArn=stage.cloud.deployment.outputs["StateMachineArn"],
        name=f"waits-{uuid.uuid4()}",
        input=json.dumps(paid_event(stage.database, create_order(stage.database))),
    )
    assert begun.wait(60)
    try:
        yield
    finally:
        over.set()


@scenario("replay")
def _replay(stage: Stage) -> None:
    stage.run("replay", stage.failed[1].name, "--yes")
    stage.run("replay", "--failed", "--yes")


@scenario("replay --order")
def _replay_for_another_order(stage: Stage) -> None:
    order_id, ended = stage.failed
    stage.run("replay", ended.name, "--order", order_id, "--yes")
    stage.run("replay", ended.name[:20], "--order", order_id, "--yes")


@scenario("replay --dead-letters")
def _replay_dead_letters(stage: Stage) -> None:
    stage.dead_letters(create_order(stage.database))
    stage.run("replay", "--dead-letters", "--yes")


@scenario("event")
def _event(stage: Stage) -> None:
    Path("event.json").write_text(json.dumps(paid_event(stage.database, create_order(stage.database))))
    stage.run("event", "event.json", "--yes")


@scenario("refund")
def _refund(stage: Stage) -> None:
    stage.run("refund", stage.paid, "--yes")


@scenario("refund --seats")
def _refund_seats(stage: Stage) -> None:
    stage.run("refund", stage.paid, "--seats", 1, "--yes")


@scenario("refund --event")
def _refund_an_event(stage: Stage) -> None:
    stage.run("refund", "--ticket", create_ticket(stage.database), "--yes")


CORRECTIONS: Final[dict[str, Callable[[Stage], tuple[object, ...]]]] = {
    "move": lambda stage: (create_order(stage.database), "--ticket", create_ticket(stage.database)),
    "change": lambda stage: (create_order(stage.database), "--quantity", 2),
    "take-back": lambda stage: (create_order(stage.database),),
    "mark-paid": lambda stage: (create_order(stage.database), "--without-stripe"),
    "correct": lambda stage: (create_order(stage.database), "--email", "jenny@example.com"),
    "limit": lambda stage: ("--ticket", create_ticket(stage.database), "--to", 7),
    "sale": lambda stage: ("--ticket", create_ticket(stage.database), "--stop"),
}


for _said, _words in CORRECTIONS.items():
    SCENARIOS[_said] = lambda stage, said=_said, words=_words: stage.run(said, *words(stage), "--yes")  # type: ignore[misc]


@scenario("reconcile")
def _reconcile(stage: Stage) -> None:
    late_order(stage.database, stage.given("stripe_stand_in"), status="expired")
    stage.run("reconcile", "--yes")


@scenario("counts")
def _counts(stage: Stage) -> None:
    create_ticket(stage.database, held_quantity=1)
    stage.run("counts", "--all", "--yes")


@scenario("counts --history")
def _counter_history(stage: Stage) -> None:
    stage.run("counts", "--all", "--history")


@scenario("restore")
def _restore(stage: Stage) -> None:
    ticket = create_ticket(stage.database)
    create_order(stage.database, ticket_id=ticket)
    with stage.database.transaction() as tx:
        tx.change("DELETE FROM tickets WHERE id = %s", ticket)
    stage.run("restore", "--ticket", ticket, "--yes")


@scenario("stripe-key")
def _stripe_key(stage: Stage) -> None:
    arn = stage.cloud.deployment.template.parameters["StripeSecretArn"]
    key = json.loads(stage.cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])["api_key"]
    stage.run("stripe-key", "--yes", given=key)


@scenario("redeploy")
def _redeploy(stage: Stage) -> None:
    deployment: Deployment = stage.given("deployment")
    deployment.ends_as = "UPDATE_ROLLBACK_COMPLETE"
    stage.run("redeploy", "--dry-run")
    stage.run("redeploy", "--yes")


@scenario("prepare-database")
def _prepare_database(stage: Stage) -> None:
    stage.run("prepare-database", "--dry-run")
    stage.given("_without_new_users")
    stage.run("prepare-database", "--yes")


@scenario("sample-shop")
def _sample_shop(stage: Stage) -> None:
    stage.run("sample-shop", "--yes")


@scenario("migrate")
def _migrate(stage: Stage) -> None:
    stage.run("migrate")


@scenario("migrate --code")
def _migrate_ahead(stage: Stage) -> None:
    stage.run("migrate", "--code", Path(__file__).parents[2] / "functions")


@scenario("migrate --dry-run")
def _migrate_dry(stage: Stage) -> None:
    stage.run("migrate", "--dry-run")


@scenario("buyer export")
def _export(stage: Stage) -> None:
    email = row_of(stage.database, "ticket_orders", stage.paid)["email"]
    stage.dead_letters(stage.paid, customer_email=email)
    stage.run("buyer", "export", email)


@scenario("buyer forget")
def _forget(stage: Stage) -> None:
    email = row_of(stage.database, "ticket_orders", stage.paid)["email"]
    stage.dead_letters(stage.paid, customer_email=email)
    stage.run("buyer", "forget", email, "--yes")


@scenario("connect")
def _connect(stage: Stage) -> None:
    site: Site = stage.given("site")
    stage.run("connect", "--yes")
    if site.made and site.made[0].source not in site.buses:
        site.deploy(site.made[0].source)
    stage.run("connect", "--yes")


@scenario("connect --webhook")
def _connect_a_webhook(stage: Stage) -> None:
    stage.given("address")
    stage.run("connect", "--webhook", "--yes")


@scenario("doctor")
def _doctor(stage: Stage) -> None:
    """Once well, once with all broken that is looked at by other calls."""
    patient: Patient = stage.given("patient")
    assert stage.failed
    stage.dead_letters(create_order(stage.database))
    machine = stage.given("other_machine")
    function = f"arn:aws:lambda:{stage.cloud.region}:{stage.cloud.account_id}:function:gone"
    with another_rule(patient, OWN, machine, function), managed_policy(patient, "StartWorkflowRole"):
        stage.run("doctor")
    with one_that_waits(stage):
        stage.cloud.lambdas.interceptors.append(lambda *_: function_error(None, "Task timed out after 15.00 seconds"))
        stage.run("doctor")


@contextmanager
def managed_policy(patient: Patient, role: str) -> Iterator[None]:
    iam, name = patient.client("iam"), patient.id(role)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    arn = iam.create_policy(PolicyName="attached-by-hand", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    try:
        yield
    finally:
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)


@scenario("policy")
def _policy(stage: Stage) -> None:
    stage.run("policy", "doctor")


def commands(command: Any = None, name: str = "") -> Iterator[str]:
    """The names of all commands, out of the parser of arguments."""
    found = typer.main.get_command(app) if command is None else command
    below = getattr(found, "commands", None)
    if below is None:
        yield name
    else:
        for word, one in below.items():
            yield from commands(one, f"{name} {word}".strip())
