"""An account that is not the shop's alone: other applications, connected accounts; and the list of events."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_stand_in import ApiError, EventDestination, PaymentSeed, SessionSeed, StripeStandIn
from tests.local.stripe_stand_in.support import Bus, Clock, client_of

COMPLETED = "checkout.session.completed"
ALL = EventDestination(enabled_events=("*",))


def test_another_application_takes_money_without_checkout(bus: Bus) -> None:
    with StripeStandIn(bus, destination=ALL) as stand_in:
        payment = stand_in.foreign_payment(PaymentSeed(4000, metadata={"order_id": "17"}))
        refund = stand_in.refund(payment, amount=1000)
        client = client_of(stand_in)
        intent = client.v1.payment_intents.retrieve(payment, {"expand": ["latest_charge"]}).to_dict()
        assert client.v1.checkout.sessions.list({"payment_intent": payment}).data == []
        assert stand_in.wait_until_delivered()
    assert intent["metadata"] == intent["latest_charge"]["metadata"] == {"order_id": "17"}
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 4000)
    assert intent["latest_charge"]["amount_refunded"] == 1000
    assert refund["metadata"] == {}
    assert bus.types == ["charge.succeeded", "payment_intent.succeeded", "charge.refunded", "refund.created"]


def test_another_application_uses_checkout(bus: Bus) -> None:
    with StripeStandIn(bus) as stand_in:
        session = stand_in.seed_session(SessionSeed(4000, status="open", metadata={"order_id": "17"}))
        stand_in.pay(session)
        stored = stand_in.seed_session(SessionSeed(0, mode="setup"))
        stand_in.emit(COMPLETED, stored)
        assert stand_in.wait_until_delivered()
    paid, setup = bus.objects(COMPLETED)
    assert (paid["metadata"], paid["mode"]) == ({"order_id": "17"}, "payment")
    assert (setup["id"], setup["mode"]) == (stored, "setup")


@pytest.mark.parametrize("origin", [{"account": "acct_other"}, {"context": "acct_other"}])
@pytest.mark.parametrize("listening", [True, False])
def test_events_of_connected_accounts_come_where_they_are_asked_for(
    bus: Bus, origin: dict[str, Any], listening: bool
) -> None:
    events_from = ("@self", "@accounts") if listening else ("@self",)
    with StripeStandIn(bus, destination=EventDestination(events_from=events_from)) as stand_in:
        session = stand_in.seed_session(SessionSeed(4000))
        event = stand_in.emit(COMPLETED, session, **origin)
        assert stand_in.wait_until_delivered()
        client = client_of(stand_in)
        # They are listed in that account, not in the platform's.
        assert client.v1.events.list().data == []
        with pytest.raises(stripe.InvalidRequestError, match="No such event"):
            client.v1.events.retrieve(event["id"])
        assert client.v2.core.event_destinations.list().data[0].events_from == list(events_from)
    assert [told["detail"].items() >= origin.items() for told in bus.envelopes] == ([True] if listening else [])


def test_a_destination_for_connected_accounts_only(bus: Bus) -> None:
    with StripeStandIn(bus, destination=EventDestination(events_from=("@accounts",))) as stand_in:
        session = stand_in.seed_session(SessionSeed(4000))
        stand_in.emit(COMPLETED, session)
        stand_in.emit(COMPLETED, session, account="acct_other")
        assert stand_in.wait_until_delivered()
    assert [told["detail"]["account"] for told in bus.envelopes] == ["acct_other"]


def test_nobody_reads_another_account(stand_in: StripeStandIn) -> None:
    client = client_of(stand_in)
    with pytest.raises(stripe.PermissionError, match="does not have access to account 'acct_other'") as caught:
        client.v1.events.list({}, {"stripe_account": "acct_other"})
    assert caught.value.http_status == 403
    own = stand_in.context.account_id
    assert client.v1.events.list({}, {"stripe_account": own}).data == []


def test_an_event_is_made_again_with_another_time_and_another_snapshot(stand_in: StripeStandIn, bus: Bus) -> None:
    session = stand_in.seed_session(SessionSeed(4000))
    first = stand_in.emit(COMPLETED, session)
    second = stand_in.emit(COMPLETED, session, created=1_700_000_000, changes={"amount_total": 1})
    assert stand_in.wait_until_delivered()
    assert first["id"] != second["id"]
    assert [told["detail"]["created"] for told in bus.envelopes] == [first["created"], 1_700_000_000]
    assert [told["amount_total"] for told in bus.objects(COMPLETED)] == [4000, 1]
    with pytest.raises(ApiError, match="No such object"):
        stand_in.emit(COMPLETED, "cs_test_nobody")


def test_the_list_of_events_keeps_its_filters_from_page_to_page(
    stand_in: StripeStandIn, client: stripe.StripeClient, clock: Clock
) -> None:
    session, now = stand_in.seed_session(SessionSeed(4000)), int(clock())
    day = 24 * 3600
    for days in (31, 29, 3, 2, 1):
        for event_type in (COMPLETED, "checkout.session.expired", "charge.refunded"):
            stand_in.emit(event_type, session, created=now - days * day)

    def listed(**parameters: Any) -> list[tuple[str, int]]:
        asked: Any = {"limit": 2, **parameters}
        pages: Any = client.v1.events.list(asked)
        return [(event.type, (now - event.created) // day) for event in pages.auto_paging_iter()]

    types = [COMPLETED, "charge.refunded"]
    assert listed(types=types) == [
        ("charge.refunded", 1), (COMPLETED, 1), ("charge.refunded", 2), (COMPLETED, 2), ("charge.refunded", 3),
        (COMPLETED, 3), ("charge.refunded", 29), (COMPLETED, 29),
    ]  # fmt: skip
    assert listed(types=[COMPLETED], created={"gte": now - 3 * day, "lt": now - day}) == [
        (COMPLETED, 2),
        (COMPLETED, 3),
    ]
    assert {event_type for event_type, _ in listed(type="checkout.*")} == {COMPLETED, "checkout.session.expired"}
    assert len(listed(types=[])) == 12  # no filter is sent at all


def test_the_list_of_events_checks_its_parameters(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="not both"):
        client.v1.events.list({"type": COMPLETED, "types": [COMPLETED]})
    with pytest.raises(stripe.InvalidRequestError, match="does not imitate"):
        client.v1.events.list({"delivery_success": False})
    with pytest.raises(stripe.InvalidRequestError, match="maximum 20"):
        client.v1.events.list({"types": [COMPLETED] * 21})


@pytest.mark.parametrize(
    ("currency", "amount", "accepted"),
    [
        ("isk", 7200, False), ("isk", 7300, True), ("krw", 799, False), ("krw", 800, True), ("kwd", 164, False),
        ("kwd", 170, True), ("eur", 49, False), ("eur", 50, True),
    ],
)  # fmt: skip
def test_an_amount_can_be_too_small_in_any_currency(
    new_session: Callable[..., Any], currency: str, amount: int, accepted: bool
) -> None:
    asked = {"unit_amount": amount, "quantity": 1, "currency": currency}
    if accepted:
        assert new_session(**asked).amount_total == amount
        return
    with pytest.raises(stripe.InvalidRequestError) as caught:
        new_session(**asked)
    assert caught.value.code == "amount_too_small"
