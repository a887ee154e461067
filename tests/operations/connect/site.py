"""A stack on AWS, a Stripe of its own whose events arrive, and `cachao connect` at work between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto.events.models import events_backends
from typer.testing import CliRunner

from cachao.aws.environment import Environment
from cachao.cli import app
from cachao.connect import partner_source, proof
from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi
from local.stripe_stand_in import EventDestination, StripeStandIn
from local.web_server import WebServer
from tests.conftest import PARTNER_BUS
from tests.operations.answer import Answer
from ticketing.stripe.http_client import PooledHttpClient

WEBHOOK_FUNCTION = "ReceiveStripeWebhookFunction"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Site:
    """The stack and its Stripe. `parameters` and `outputs` are the stack's, where they are otherwise than deployed."""

    cloud: LocalCloud
    stripe: StripeStandIn
    parameters: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    buses: set[str] = field(default_factory=set)

    def connect(self, *words: str, yes: bool = True) -> Answer:
        line = ["connect", *words, "--json", "--region", self.cloud.region, *(["--yes"] if yes else [])]
        result = CliRunner().invoke(app, line)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    @property
    def made(self) -> list[EventDestination]:
        return self.stripe.context.destinations[1:]

    @property
    def secret(self) -> dict[str, Any]:
        found = self.cloud.client("secretsmanager").get_secret_value(SecretId=self.parameters["StripeSecretArn"])
        secret: dict[str, Any] = json.loads(found["SecretString"])
        return secret

    def deploy(self, source: str) -> None:
        """What the template deploys for a source: its bus, and on it the rule with its target."""
        events = self.cloud.client("events")
        events.create_event_bus(Name=source, EventSourceName=source)
        [rule] = events.list_rules(EventBusName=PARTNER_BUS)["Rules"]
        events.put_rule(Name="payments", EventBusName=source, EventPattern=rule["EventPattern"])
        targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=PARTNER_BUS)["Targets"]
        events.put_targets(Rule="payments", EventBusName=source, Targets=targets)
        self.parameters["StripeEventSourceName"] = source
        self.buses.add(source)

    def deliver(self, envelope: dict[str, Any]) -> None:
        """As EventBridge: what comes for a source without a bus is lost."""
        if envelope["source"] in self.buses:
            entry = {
                "Source": envelope["source"],
                "DetailType": envelope["detail-type"],
                "Detail": json.dumps(envelope["detail"]),
                "EventBusName": envelope["source"],
            }
            self.cloud.client("events").put_events(Entries=[entry])


@pytest.fixture
def site(cloud: LocalCloud, on_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Deployed without a partner event source; Stripe's first destination is another shop's, of another account."""
    original_parameters: Any = vars(Environment)["parameters"].func
    original_outputs: Any = vars(Environment)["outputs"].func
    changed = {"StripeEventSourceName": ""}
    outputs: dict[str, str] = {}
    monkeypatch.setattr(Environment, "parameters", property(lambda self: original_parameters(self) | changed))
    monkeypatch.setattr(Environment, "outputs", property(lambda self: original_outputs(self) | outputs))
    for module in (partner_source, proof):
        monkeypatch.setattr(module, "_LOOK_EVERY_SECONDS", 0.05)
    elsewhere = EventDestination(aws_account_id="999999999999")
    backend = events_backends[cloud.account_id][cloud.region]
    with StripeStandIn(
        lambda envelope: made.deliver(envelope),  # noqa: PLW0108 - made below
        make_source=lambda destination: cloud.make_partner_source(destination.source),
        destination=elsewhere,
    ) as stand_in:
        changed["StripeApiBase"] = stand_in.url
        secret = cloud.create_secret("stripe-of-connect", {"api_key": "sk_test_local", "more": "1"})
        changed["StripeSecretArn"] = secret
        made = Site(cloud, stand_in, changed, outputs)
        yield made
    for bus in made.buses:
        backend.event_buses.pop(bus, None)
    cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """The stack's API at an address that this Stripe reaches; its functions read the secret of these tests."""
    server = WebServer()
    server.start(HttpApi(site.cloud.deployment.template.http_api, site.cloud.lambdas))
    site.outputs["ApiUrl"] = server.url
    secrets = site.cloud.client("secretsmanager")
    arn = site.cloud.lambdas.function(WEBHOOK_FUNCTION).environment["STRIPE_SECRET_ARN"]
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(site.secret))
    site.parameters["StripeSecretArn"] = arn
    # A worker that ran before knows the former secret for five minutes.
    site.cloud.lambdas.kill_workers(WEBHOOK_FUNCTION)
    yield f"{server.url}/webhooks/stripe"
    secrets.put_secret_value(SecretId=arn, SecretString=before)
    site.cloud.lambdas.kill_workers(WEBHOOK_FUNCTION)
    server.stop()


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the process end right after so many requests that change something at Stripe; 0: never."""
    original = PooledHttpClient.request
    left = [0]

    def request(self: Any, method: str, *arguments: Any, **named: Any) -> Any:
        answer = original(self, method, *arguments, **named)
        if method != "get" and left[0]:
            left[0] -= 1
            if not left[0]:
                raise Killed
        return answer

    monkeypatch.setattr(PooledHttpClient, "request", request)

    def set_left(requests: int) -> None:
        left[0] = requests

    return set_left
