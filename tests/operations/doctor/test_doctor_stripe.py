"""The doctor on Stripe's side of the chain: each break that is made is recognised and named."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cachao.aws.environment import Environment
from cachao.doctor import stripe_account, stripe_destination, stripe_secret, webhook_endpoint
from cachao.doctor.examination import examine
from local.stripe_stand_in import SessionSeed, WebhookEndpoint
from tests.factories import create_order, names_of, row_of
from tests.operations.conftest import Cachao
from tests.operations.doctor.patients import Causes, Frozen, Patient, unknowns
from ticketing.stripe.event_types import THIN_EVENTS

API = "https://abc123.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("fields", "cause", "says"),
    [
        ({"status": "disabled", "disabled_reason": "user"}, "destination_disabled", "reason: user"),
        ({"status": "disabled", "disabled_reason": "no_aws_event_source_exists"}, "source_deleted", "is gone"),
        ({"event_payload": "thin"}, "event_types_missing", "v1.checkout.session.expired"),
        ({"enabled_events": ("checkout.session.completed",)}, "event_types_missing", "checkout.session.expired"),
        ({"events_from": ("@accounts",)}, "own_events_missing", "@accounts only, not of the account itself"),
        ({"aws_account_id": "999999999999"}, "wrong_account", "999999999999"),
        ({"aws_region": "us-east-1"}, "wrong_region", "us-east-1"),
        ({"livemode": True}, "wrong_mode", "live mode"),
        ({"id": "ed_test_other"}, "destination_missing", "ed_test_other sends to account 123456789012, eu-west-1"),
    ],
)
def test_a_wrong_destination_is_named(
    patient: Patient, causes: Causes, fields: dict[str, Any], cause: str, says: str
) -> None:
    vars(patient.stripe.destination).update(fields)
    found = causes(stripe_destination.LINK)
    assert set(found) == {cause}
    assert says in found[cause].says
    assert found[cause].case == "Events not reaching EventBridge"


def test_events_of_connected_accounts_beside_ones_own_do_no_harm(patient: Patient, causes: Causes) -> None:
    patient.stripe.destination.events_from = ("@self", "@accounts")
    assert causes(stripe_destination.LINK) == {}


def test_thin_events_are_as_good(patient: Patient, environment: Environment, causes: Causes) -> None:
    patient.stripe.destination.event_payload = "thin"
    patient.stripe.destination.enabled_events = tuple(sorted(THIN_EVENTS))
    assert causes(stripe_destination.LINK) == {}
    [finding] = examine(environment, [stripe_destination.LINK])
    assert "sends thin events of all" in finding.says


def test_a_key_that_stripe_refuses_everywhere_is_told_once(patient: Patient, environment: Environment) -> None:
    patient.stripe.fail_next(8, status=401, path_prefix="/v1/")
    patient.stripe.fail_next(8, status=401, path_prefix="/v2/")
    try:
        found = list(examine(environment, [stripe_destination.LINK, stripe_account.LINK]))
    finally:
        patient.stripe.clear_faults()
    assert [finding.cause for finding in found] == ["stripe_key_refused"]


def test_a_key_of_the_other_mode_is_told_once(patient: Patient, environment: Environment, secret: Any) -> None:
    secret(json.dumps({"api_key": "sk_live_1"}))
    found = list(examine(environment, [stripe_secret.LINK, stripe_destination.LINK, stripe_account.LINK]))
    assert [finding.cause for finding in found if finding.state == "broken"] == ["wrong_mode"]


def test_all_event_types_by_a_star_are_enough(patient: Patient, causes: Causes) -> None:
    patient.stripe.destination.enabled_events = ("*",)
    assert causes(stripe_destination.LINK) == {}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_stripe_refuses_is_named(patient: Patient, causes: Causes, status: int) -> None:
    patient.stripe.fail_next(3, status=status, path_prefix="/v2/")
    try:
        assert set(causes(stripe_destination.LINK)) == {"stripe_key_refused"}
    finally:
        patient.stripe.clear_faults()


def test_a_stripe_that_does_not_answer_stops_nothing(patient: Patient, cachao: Cachao) -> None:
    patient.stripe.fail_next(3, status=500, path_prefix="/v2/")
    try:
        answer = cachao("doctor", json=True)
    finally:
        patient.stripe.clear_faults()
    states = {finding["link"]: finding["state"] for finding in answer.data["findings"]}
    assert states["Stripe event destination"] == "cannot tell"
    assert (states["Rules"], answer.exit_code) == ("fine", 5)


# --- Its secret ----------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(patient: Patient) -> Iterator[Any]:
    """Put another text into Stripe's secret."""
    client = patient.client("secretsmanager")
    arn = patient.cloud.deployment.template.parameters["StripeSecretArn"]
    before = client.get_secret_value(SecretId=arn)["SecretString"]
    yield lambda text: client.put_secret_value(SecretId=arn, SecretString=text)
    client.put_secret_value(SecretId=arn, SecretString=before)


@pytest.mark.parametrize(
    "text", ["sk_test_1", "[]", "{}", '{"api_key": ""}', '{"api_key": "sk_test_…"}', '{"api_key": "pk_test_1"}']
)
def test_a_secret_of_another_shape_is_named(
    patient: Patient, environment: Environment, causes: Causes, secret: Any, text: str
) -> None:
    secret(text)
    found = causes(stripe_secret.LINK)
    assert set(found) == {"stripe_secret_malformed"}
    assert "pk_test_1" not in found["stripe_secret_malformed"].says
    assert "no usable key" in unknowns(environment, stripe_destination.LINK)[0]


def test_a_secret_that_is_gone_is_named(patient: Patient, environment: Environment, causes: Causes) -> None:
    environment.parameters["StripeSecretArn"] = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf"
    assert set(causes(stripe_secret.LINK)) == {"stripe_secret_missing"}
    assert "no usable key" in unknowns(environment, stripe_destination.LINK)[0]


def test_a_missing_secret_ends_the_command_with_1(patient: Patient, cachao: Cachao, secret: Any) -> None:
    secret("{}")
    assert cachao("doctor").exit_code == 1


def test_a_live_key_for_test_payments_is_named(patient: Patient, causes: Causes, secret: Any) -> None:
    secret(json.dumps({"api_key": "rk_live_1"}))
    assert set(causes(stripe_secret.LINK)) == {"wrong_mode"}


# --- Its webhook endpoint ------------------------------------------------------------------------------------------


@pytest.fixture
def endpoint(patient: Patient, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookEndpoint]:
    """The only entry point is the webhook, and Stripe has a healthy endpoint for it."""
    monkeypatch.setattr(Environment, "event_source_name", "")
    environment.outputs["ApiUrl"] = API
    made = WebhookEndpoint(url=f"{API}/webhooks/stripe")
    listed = patient.stripe.context.webhook_endpoints
    listed.append(made)
    yield made
    listed.clear()


def test_a_healthy_webhook_endpoint_is_fine(endpoint: WebhookEndpoint, environment: Environment) -> None:
    endpoint.enabled_events = ("*",)
    [found] = examine(environment, [webhook_endpoint.LINK])
    assert (found.state, found.link) == ("fine", "Stripe webhook endpoint")


@pytest.mark.parametrize(
    ("fields", "cause", "says"),
    [
        ({"status": "disabled"}, "webhook_disabled", "is disabled"),
        (
            {"enabled_events": ("checkout.session.completed",)},
            "webhook_event_types_missing",
            "checkout.session.expired",
        ),
        ({"application": "ca_1"}, "own_events_missing", "connected accounts"),
        ({"livemode": True}, "wrong_mode", "live mode"),
        ({"url": "https://shop.example/elsewhere"}, "webhook_missing", "https://shop.example/elsewhere"),
    ],
)
def test_a_wrong_webhook_endpoint_is_named(
    endpoint: WebhookEndpoint, causes: Causes, fields: dict[str, Any], cause: str, says: str
) -> None:
    vars(endpoint).update(fields)
    found = causes(webhook_endpoint.LINK)
    assert set(found) == {cause}
    assert says in found[cause].says
    assert found[cause].case == "Events not reaching EventBridge"


def test_a_webhook_endpoint_that_is_not_there_is_named(
    endpoint: WebhookEndpoint, patient: Patient, causes: Causes
) -> None:
    patient.stripe.context.webhook_endpoints.clear()
    assert "none at all" in causes(webhook_endpoint.LINK)["webhook_missing"].says


def test_a_domain_before_the_api_is_nothing_that_one_can_tell(
    endpoint: WebhookEndpoint, environment: Environment
) -> None:
    endpoint.url = "https://api.shop.example/webhooks/stripe"
    [says] = unknowns(environment, webhook_endpoint.LINK)
    assert "https://api.shop.example/webhooks/stripe" in says


def test_one_good_webhook_endpoint_is_enough(endpoint: WebhookEndpoint, patient: Patient, causes: Causes) -> None:
    patient.stripe.context.webhook_endpoints.insert(0, WebhookEndpoint(url=endpoint.url, id="we_1", status="disabled"))
    assert causes(webhook_endpoint.LINK) == {}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_list_webhook_endpoints_is_named(
    endpoint: WebhookEndpoint, patient: Patient, causes: Causes, status: int
) -> None:
    patient.stripe.fail_next(3, status=status, path_prefix="/v1/webhook_endpoints")
    try:
        assert set(causes(webhook_endpoint.LINK)) == {"stripe_key_refused"}
    finally:
        patient.stripe.clear_faults()


def test_a_webhook_without_its_signing_secret_is_named(endpoint: WebhookEndpoint, causes: Causes, secret: Any) -> None:
    secret(json.dumps({"api_key": "sk_test_local", "webhook_signing_secret": ""}))
    assert set(causes(stripe_secret.LINK)) == {"webhook_secret_missing"}


def test_beside_a_partner_event_source_nothing_depends_on_a_webhook(patient: Patient, environment: Environment) -> None:
    assert list(examine(environment, [webhook_endpoint.LINK])) == []


# --- The account ---------------------------------------------------------------------------------------------------


_MONTHS = itertools.count()


@pytest.fixture
def seeded(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Seed a paid session at a time of which no other test's sessions are."""
    now = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=30 * next(_MONTHS))
    monkeypatch.setattr("cachao.doctor.stripe_account._LOOK_BACK", timedelta(days=7))
    monkeypatch.setattr("cachao.doctor.stripe_account.datetime", Frozen(now))

    def seed(**fields: Any) -> str:
        return patient.stripe.seed_session(SessionSeed(2000, created=int(now.timestamp()) - 60, **fields))

    return seed


def own_session(patient: Patient, seeded: Callable[..., str]) -> str:
    order = create_order(patient.database)
    row = row_of(patient.database, "ticket_orders", order)
    return seeded(session_id=row["stripe_checkout_session_id"], metadata=names_of(row))


def test_sessions_of_other_applications_are_named(patient: Patient, causes: Causes, seeded: Callable[..., str]) -> None:
    own_session(patient, seeded)
    assert causes(stripe_account.LINK) == {}
    # Neither what was not paid, nor what cost nothing.
    seeded(status="open")
    seeded(payment_status="unpaid")
    assert causes(stripe_account.LINK) == {}
    foreign = seeded(metadata={"order_id": "17"})
    found = causes(stripe_account.LINK)["account_shared"]
    assert found.says == f"1 of the newest 2 paid sessions of the account are no order's, e.g. {foreign}."
    assert "StripeAccountShared=true" in found.todo


def test_in_an_account_that_is_known_to_be_shared_they_are_fine(
    patient: Patient, environment: Environment, causes: Causes, seeded: Callable[..., str]
) -> None:
    own_session(patient, seeded)
    foreign = seeded(metadata={"order_id": "17"})
    environment.parameters["StripeAccountShared"] = "true"
    [finding] = examine(environment, [stripe_account.LINK])
    assert finding.state == "fine"
    assert foreign in finding.says


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_list_sessions_is_named(patient: Patient, causes: Causes, status: int) -> None:
    patient.stripe.fail_next(3, status=status, path_prefix="/v1/checkout/sessions")
    try:
        assert set(causes(stripe_account.LINK)) == {"stripe_key_refused"}
    finally:
        patient.stripe.clear_faults()
