"""`cachao connect --webhook`: the signing secret that Stripe shows once is kept with its endpoint, or replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cachao.connect import ownership, proof, webhook_endpoint
from local.stripe_stand_in import WebhookEndpoint
from tests.operations.connect.site import Killed, Site
from ticketing.stripe.event_types import HANDLED_EVENTS

MARK = {ownership.KEY: "123456789012/eu-west-1/cachao-local"}


@pytest.fixture
def unproved(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that nobody reaches: what is proved is shown by the test that reaches it."""
    monkeypatch.setattr(proof, "prove", lambda *_args, **_named: None)
    site.outputs["ApiUrl"] = "https://abc123.execute-api.eu-west-1.amazonaws.com"
    return f"{site.outputs['ApiUrl']}/webhooks/stripe"


def test_from_nothing_to_the_proof_and_once_more(site: Site, address: str) -> None:
    answer = site.connect("--webhook")
    [made] = site.stripe.context.webhook_endpoints
    assert (answer.exit_code, answer.data["connected"]) == (0, True), answer.text
    assert (made.url, made.enabled_events, made.metadata) == (address, tuple(sorted(HANDLED_EVENTS)), MARK)
    assert site.secret == {
        "api_key": "sk_test_local",
        "more": "1",
        "webhook_signing_secret": made.secret,
        "webhook_endpoint_id": made.id,
    }
    assert str(made.secret) not in answer.text + answer.notes
    again = site.connect("--webhook")
    assert (again.exit_code, again.data["connected"]) == (0, True)
    assert site.stripe.context.webhook_endpoints == [made]


@pytest.mark.usefixtures("unproved")
def test_killed_before_the_secret_was_stored_a_new_one_is_made_and_the_old_one_removed(
    site: Site, kill_after: Callable[[int], None]
) -> None:
    kill_after(1)
    with pytest.raises(Killed):
        site.connect("--webhook")
    kill_after(0)
    [lost] = site.stripe.context.webhook_endpoints
    assert "webhook_endpoint_id" not in site.secret
    answer = site.connect("--webhook")
    [made] = site.stripe.context.webhook_endpoints
    assert made.id != lost.id
    assert site.secret["webhook_endpoint_id"] == made.id
    assert f"Removed {lost.id}" in answer.data["steps"][-1]["says"]


@pytest.mark.usefixtures("unproved")
def test_killed_before_the_old_one_was_removed_the_next_run_removes_it(
    site: Site, kill_after: Callable[[int], None]
) -> None:
    site.stripe.context.webhook_endpoints.append(WebhookEndpoint("https://old.example", metadata=dict(MARK)))
    kill_after(1)
    with pytest.raises(Killed):
        site.connect("--webhook")
    kill_after(2)
    with pytest.raises(Killed):
        site.connect("--webhook")
    kill_after(0)
    site.connect("--webhook")
    [kept] = site.stripe.context.webhook_endpoints
    assert kept.id == site.secret["webhook_endpoint_id"]
    assert kept.secret == site.secret["webhook_signing_secret"]


def test_an_endpoint_that_is_not_as_it_must_be_is_set_right(site: Site, unproved: str) -> None:
    site.connect("--webhook")
    [made] = site.stripe.context.webhook_endpoints
    made.url, made.enabled_events, made.status = "https://old.example/webhooks/stripe", ("charge.refunded",), "disabled"
    answer = site.connect("--webhook")
    assert answer.exit_code == 0
    assert (made.url, made.enabled_events) == (unproved, tuple(sorted(HANDLED_EVENTS)))
    assert site.stripe.context.webhook_endpoints[0].status == "enabled"


def test_what_was_made_by_hand_is_named_before_its_events_are_refused(site: Site, unproved: str) -> None:
    by_hand = WebhookEndpoint(unproved)
    site.stripe.context.webhook_endpoints.append(by_hand)
    refused = site.connect("--webhook", yes=False)
    assert f"refuse from then on the events of {by_hand.id}, made by hand for the same address" in refused.data["error"]
    site.connect("--webhook")
    assert len(site.stripe.context.webhook_endpoints) == 2


@pytest.mark.usefixtures("unproved")
def test_a_dry_run_leaves_the_secret(site: Site) -> None:
    before = site.secret
    answer = site.connect("--webhook", "--dry-run", yes=False)
    assert answer.exit_code == 0
    assert "make a webhook endpoint for" in answer.data["steps"][0]["says"]
    assert (site.secret, site.stripe.context.webhook_endpoints) == (before, [])


@pytest.mark.usefixtures("unproved")
def test_a_secret_that_may_not_be_written_is_told_and_the_next_run_starts_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(webhook_endpoint, "_store", _refuse)
        first = site.connect("--webhook")
    assert first.exit_code == 3
    assert first.data["steps"][0]["says"].startswith("Made the webhook endpoint")
    assert site.connect("--webhook").exit_code == 0
    assert len(site.stripe.context.webhook_endpoints) == 1


def _refuse(*_: Any) -> None:
    from cachao.problems import Problem  # noqa: PLC0415 -- of this step only

    raise Problem("Your credentials may not do this (PutSecretValue)", exit_code=3)


def test_the_local_stack_has_no_address_for_stripe(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cachao.aws.environment.Environment.is_local", True)
    monkeypatch.setattr("cachao.aws.environment.Environment.outputs", {})
    answer = site.connect("--webhook")
    assert answer.exit_code == 1
    assert "stripe listen --forward-to" in answer.data["advice"]
