"""`cachao connect`: one destination whatever happens, the command that deploys its bus, and an event as the proof."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cachao.connect import ownership
from local.stripe_stand_in import EventDestination
from tests.operations.connect.site import Killed, Site
from ticketing.stripe.event_types import HANDLED_EVENTS, THIN_EVENTS

MARK = {ownership.KEY: "123456789012/eu-west-1/cachao-local"}
WAYS = ["was so", "done", "would be done", "left to you"]


def states(data: Any) -> list[str]:
    assert {step["state"] for step in data["steps"]} <= set(WAYS)
    return [step["state"] for step in data["steps"]]


def test_from_nothing_to_the_proof(site: Site) -> None:
    began = time.monotonic()
    first = site.connect()
    [made] = site.made
    assert (first.exit_code, first.data["connected"]) == (0, False)
    assert (made.aws_account_id, made.aws_region, made.event_payload) == ("123456789012", "eu-west-1", "snapshot")
    assert set(made.enabled_events) == HANDLED_EVENTS
    assert made.events_from == ("@self",)
    todo = first.data["steps"][-1]["todo"]
    assert (
        "sam deploy --stack-name cachao-local --region eu-west-1 --resolve-s3 --capabilities CAPABILITY_IAM"
        f" --parameter-overrides StripeEventSourceName={made.source} CreatePartnerEventBus=true\n" in todo
    )
    assert "cachao connect --stack cachao-local --region eu-west-1" in todo

    site.deploy(made.source)
    second = site.connect()
    assert site.made == [made]
    assert (second.exit_code, second.data["connected"]) == (0, True)
    assert states(second.data) == ["was so", "was so", "done", "done"]
    assert "ended as Ignored" in second.data["steps"][-1]["says"]
    assert time.monotonic() - began < 60


def test_a_dry_run_changes_nothing_and_asks_nothing(site: Site) -> None:
    answer = site.connect("--dry-run", yes=False)
    assert answer.exit_code == 0
    assert set(states(answer.data)) == {"would be done"}
    assert "make an event destination for Amazon EventBridge" in answer.data["steps"][0]["says"]
    assert site.made == []
    assert site.stripe.deliveries() == []


def test_without_a_yes_nothing_is_done(site: Site) -> None:
    answer = site.connect(yes=False)
    assert (answer.exit_code, site.made) == (2, [])
    assert "in Stripe's test mode: make an event destination" in answer.data["error"]


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_killed_anywhere_it_goes_on_with_the_same_destination(
    site: Site, kill_after: Callable[[int], None], requests: int
) -> None:
    """After the destination was made; then, deployed, after the session was opened, and after it was ended."""
    if requests > 1:
        site.connect()
        site.deploy(site.made[0].source)
    kill_after(max(requests - 1, 1))
    with pytest.raises(Killed):
        site.connect()
    kill_after(0)
    again = site.connect()
    assert again.exit_code == 0
    assert len(site.made) == 1
    assert again.data["connected"] == (requests > 1)


def test_types_that_were_taken_out_come_back_and_a_disabled_one_is_enabled(site: Site) -> None:
    site.connect()
    [made] = site.made
    made.enabled_events, made.status, made.disabled_reason = (
        ("checkout.session.completed", "invoice.paid"),
        "disabled",
        "user",
    )
    site.deploy(made.source)
    answer = site.connect()
    assert answer.data["connected"]
    assert made.enabled_events == tuple(sorted(HANDLED_EVENTS | {"invoice.paid"}))
    assert site.made[0].status == "enabled"
    assert any(
        "cachao reconcile --stack cachao-local --region eu-west-1 --since 3d" in step["todo"]
        for step in answer.data["steps"]
    )


def test_one_whose_source_is_gone_is_replaced_and_removed(site: Site) -> None:
    site.connect()
    [dead] = site.made
    dead.status, dead.disabled_reason, dead.aws_event_source_status = (
        "disabled",
        "no_aws_event_source_exists",
        "deleted",
    )
    answer = site.connect()
    [made] = site.made
    assert made.id != dead.id
    assert f"Removed {dead.id}" in " ".join(step["says"] for step in answer.data["steps"])


def test_what_others_made_is_left_alone(site: Site) -> None:
    other = EventDestination(metadata={ownership.KEY: "123456789012/eu-west-1/another"}, name="Another stack's")
    spare = [EventDestination(metadata=dict(MARK), created=created) for created in (2e9, 1.9e9)]
    site.stripe.context.destinations += [other, *spare]
    for one in spare:
        site.cloud.make_partner_source(one.source)
    answer = site.connect()
    assert len(site.made) == 3
    says = " ".join(step["says"] for step in answer.data["steps"])
    assert f"{other.id} (Another stack's) also sends here" in says
    assert f"This command also made {spare[0].id}" in says
    assert spare[1].source in says


def test_the_destination_that_is_deployed_is_taken_whoever_made_it(site: Site) -> None:
    by_hand = EventDestination()
    site.stripe.context.destinations.append(by_hand)
    site.cloud.make_partner_source(by_hand.source)
    site.deploy(by_hand.source)
    answer = site.connect()
    assert answer.data["connected"]
    assert len(site.made) == 1


def test_a_thin_one_that_is_deployed_is_mended_in_its_own_words(site: Site) -> None:
    thin = EventDestination(event_payload="thin", enabled_events=("v1.checkout.session.expired",))
    site.stripe.context.destinations.append(thin)
    site.parameters["StripeEventSourceName"] = thin.source
    site.cloud.make_partner_source(thin.source)
    answer = site.connect()
    assert answer.data["steps"][0]["says"].startswith(f"Added to {thin.id}: v1.charge.dispute.closed")
    assert thin.enabled_events == tuple(sorted(THIN_EVENTS))


def test_a_deployed_source_without_a_bus_is_named(site: Site) -> None:
    site.connect()
    site.parameters["StripeEventSourceName"] = site.made[0].source
    answer = site.connect()
    assert answer.exit_code == 1
    assert "it has no event bus" in answer.data["error"]
    assert "CreatePartnerEventBus=true" in answer.data["advice"]


def test_a_source_that_does_not_come_is_waited_for_again(site: Site) -> None:
    destination = EventDestination(metadata=dict(MARK))
    site.stripe.context.destinations.append(destination)
    answer = site.connect("--wait", "0.2")
    assert answer.exit_code == 4
    assert "does not show the partner event source" in answer.data["error"]
    site.cloud.make_partner_source(destination.source)
    assert site.connect().exit_code == 0
    assert site.made == [destination]


def test_a_way_that_is_broken_is_not_called_connected(site: Site) -> None:
    site.connect()
    [made] = site.made
    site.deploy(made.source)
    site.cloud.client("events").disable_rule(Name="payments", EventBusName=made.source)
    answer = site.connect("--wait", "0.5")
    assert (answer.exit_code, answer.data["connected"]) == (1, False)
    assert "ended no execution within" in answer.data["error"]
    assert "cachao doctor --stack cachao-local" in answer.data["advice"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_key_may_not_do_is_said(site: Site, method: str) -> None:
    site.stripe.fail_next(3, status=403, path_prefix="/v2/", method=method)
    answer = site.connect()
    assert answer.exit_code == 3
    assert "does not let this API key" in answer.data["error"]
    assert "write Event Destinations" in answer.data["advice"]


def test_a_key_of_the_other_mode_is_refused_before_anything_is_done(site: Site) -> None:
    site.parameters["StripeLivemode"] = "true"
    answer = site.connect()
    assert (answer.exit_code, site.made) == (2, [])
    assert "a test key; the stack handles live payments" in answer.data["error"]
