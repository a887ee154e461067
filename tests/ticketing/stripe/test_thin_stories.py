"""Stripe's stories told by snapshots, by thin events, and by both: the books end the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from local.stripe_stand_in import EventDestination, SessionSeed, StripeStandIn
from tests.factories import create_order, names_of, row_of
from tests.handlers.workflow.workflow_by_hand import run_workflow
from tests.local.stripe_stand_in.support import Bus, Clock, client_of
from tests.ticketing.paid_orders import entries, order_row, seats
from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.orders import history
from ticketing.stripe import events
from ticketing.stripe.event_types import HANDLED_EVENTS, THIN_EVENTS
from ticketing.stripe.retrieve import StripeObjects
from ticketing.stripe.sessions import StripeSessions

IBAN = "AT611904300234573201"


@dataclass
class Teller:
    """Lets things happen at Stripe, and the workflow hear of them by `form`: at once, or all at the end."""

    database: Database
    stripe: StripeStandIn
    bus: Bus
    clock: Clock
    form: str
    at_once: bool

    def __post_init__(self) -> None:
        self.order = create_order(self.database, quantity=2)
        row = row_of(self.database, "ticket_orders", self.order)
        seed = SessionSeed(4000, status="open", session_id=row["stripe_checkout_session_id"], metadata=names_of(row))
        self.session = self.stripe.seed_session(seed)
        self.objects = StripeObjects(client_of(self.stripe))
        self.sessions = StripeSessions(client_of(self.stripe))
        self.alerts: list[Alert] = []
        self.ended: list[str] = []
        self.heard = len(self.bus.envelopes)

    def happened(self, form: str | None = None) -> None:
        """A minute goes by, and what Stripe has sent meanwhile is heard."""
        if self.at_once:
            self.hear(form)
        self.clock.advance(60)

    def hear(self, form: str | None = None, *, backwards: bool = False) -> None:
        assert self.stripe.wait_until_delivered()
        told = self.bus.envelopes[self.heard :]
        if (form or self.form) != "snapshot":
            # The twins of those which have just come as snapshots.
            self.stripe.destination.event_payload, self.stripe.destination.enabled_events = "thin", ("*",)
            for envelope in told:
                self.stripe.redeliver(envelope["detail"]["id"])
            assert self.stripe.wait_until_delivered()
            self.stripe.destination.event_payload = "snapshot"
            twins = self.bus.envelopes[self.heard + len(told) :]
            assert {twin["detail"]["object"] for twin in twins} <= {"v2.core.event"}
            told = twins if (form or self.form) == "thin" else [*twins, *told, *twins]
        self.heard = len(self.bus.envelopes)
        for envelope in reversed(told) if backwards else told:
            if envelope["detail-type"] in HANDLED_EVENTS | THIN_EVENTS:
                self.run(envelope)

    def run(self, envelope: dict[str, Any]) -> None:
        history.written_by(f"execution-{self.order}-{len(self.ended)}")
        find, fetch = self.sessions.of_payment, self.objects.retrieve
        self.ended.append(run_workflow(self.database, envelope, find_session=find, fetch=fetch, told=self.alerts))

    @property
    def payment(self) -> str:
        return str(self.stripe.session(self.session)["payment_intent"])

    def books(self) -> dict[str, Any]:
        row = order_row(self.database, self.order)
        with self.database.transaction() as tx:
            disputes = tx.all("SELECT phase, is_open FROM order_disputes WHERE order_id = %s", self.order)
            refunds = tx.all(
                "SELECT status, amount_minor FROM order_refunds WHERE order_id = %s ORDER BY 1, 2", self.order
            )
        return {
            "status": row["status"],
            "refunded": int(row["refunded_amount"]),
            "seats": seats(self.database, self.order),
            "payment": row["stripe_payment_intent_id"],
            "disputes": [(known["phase"], known["is_open"]) for known in disputes],
            "refunds": [(known["status"], known["amount_minor"]) for known in refunds],
        }


Tell = Callable[..., Teller]


@pytest.fixture
def tell(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tell]:
    bus, clock = Bus(), Clock()
    monkeypatch.setattr(events, "time", SimpleNamespace(time=clock))
    destination = EventDestination(enabled_events=("*",))
    with StripeStandIn(bus, clock=clock, destination=destination, settle_delay=1e6) as stand_in:

        def begin(form: str, *, at_once: bool = True) -> Teller:
            return Teller(database, stand_in, bus, clock, form, at_once)

        yield begin
    history.written_by(None)


Story = Callable[[Teller], None]


def paid(teller: Teller) -> None:
    assert teller.stripe.pay(teller.session).payment_status == "paid"
    teller.happened()


def debit(teller: Teller) -> None:
    assert teller.stripe.pay(teller.session, iban=IBAN).payment_status == "unpaid"
    teller.happened()


def settled(teller: Teller) -> None:
    debit(teller)
    teller.stripe.settle(teller.session)
    teller.happened()


def failed(teller: Teller) -> None:
    debit(teller)
    teller.stripe.settle(teller.session, succeeded=False)
    teller.happened()


def expired(teller: Teller) -> None:
    client_of(teller.stripe).v1.checkout.sessions.expire(teller.session)
    teller.happened()


def refunded(teller: Teller) -> None:
    paid(teller)
    teller.stripe.refund(teller.payment, amount=1500)
    teller.happened()
    teller.stripe.refund(teller.payment, amount=2500)
    teller.happened()


def part_refunded(teller: Teller) -> None:
    paid(teller)
    teller.stripe.refund(teller.payment, amount=1500)
    teller.happened()


def refund_that_fails(teller: Teller) -> None:
    part_refunded(teller)
    again = teller.stripe.refund(teller.payment, amount=500)
    teller.happened()
    teller.stripe.finish_refund(str(again["id"]), status="failed")
    teller.happened()


def inquiry(teller: Teller) -> None:
    paid(teller)
    teller.stripe.open_dispute(teller.payment, inquiry=True)
    teller.happened()


def disputed(teller: Teller) -> None:
    inquiry(teller)
    teller.stripe.escalate_dispute(teller.payment)
    teller.happened()


def lost(teller: Teller) -> None:
    disputed(teller)
    teller.stripe.close_dispute(teller.payment, status="lost")
    teller.happened()


def won(teller: Teller) -> None:
    disputed(teller)
    teller.stripe.close_dispute(teller.payment, status="won")
    teller.happened()


def lost_then_won(teller: Teller) -> None:
    lost(teller)
    teller.stripe.close_dispute(teller.payment, status="won")
    teller.happened()


STORIES: list[Story] = [
    paid,
    debit,
    settled,
    failed,
    expired,
    refunded,
    part_refunded,
    refund_that_fails,
    inquiry,
    disputed,
    lost,
    won,
    lost_then_won,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("form", ["thin", "both"])
def test_a_story_has_one_end_in_whatever_form_it_is_told(tell: Tell, story: Story, form: str) -> None:
    first = tell("snapshot")
    story(first)
    second = tell(form)
    story(second)
    expected = first.books()
    assert second.books() == {**expected, "payment": second.payment if expected["payment"] else None}
    # Told once, whichever form came first.
    assert [alert.name for alert in second.alerts] == [alert.name for alert in first.alerts]
    for entry in ("paid", "refunded", "dispute_lost", "dispute_won"):
        assert entries(second.database, second.order).count(entry) == entries(first.database, first.order).count(entry)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_story_that_is_heard_late_ends_as_stripe_has_it(tell: Tell, story: Story, backwards: bool) -> None:
    now = tell("thin")
    story(now)
    late = tell("thin", at_once=False)
    story(late)
    late.hear(backwards=backwards)
    expected = {**now.books(), "payment": late.payment if now.books()["payment"] else None}
    if story is lost_then_won:
        # Nobody heard that it was lost, so the order never ended.
        expected |= {"status": "paid", "seats": (2, 0)}
    if story is failed and not backwards:
        # That a payment failed, the session does not say; its own event does.
        assert late.ended == ["processing", "failed"]
    if backwards and expected["status"] == "refunded":
        # It had ended before its payment was heard of.
        expected["payment"] = None
    assert late.books() == expected


def test_money_that_came_back_stays_so_when_an_older_event_comes_again(tell: Tell) -> None:
    """Its status says `lost` for a while after the funds were reinstated; an old thin event has today's status."""
    teller = tell("thin")
    lost(teller)
    dispute = next(
        item["detail"]["related_object"]["id"]
        for item in teller.bus.envelopes
        if item["detail-type"] == "v1.charge.dispute.created"
    )
    teller.stripe.emit("charge.dispute.funds_reinstated", dispute)
    teller.happened()
    assert teller.books()["disputes"] == [("won", 0)]
    assert teller.books()["refunded"] == 0
    for envelope in [item for item in teller.bus.envelopes if item["detail-type"].startswith("v1.charge.dispute.")]:
        run_workflow(teller.database, envelope, fetch=teller.objects.retrieve, told=teller.alerts)
    assert teller.books()["disputes"] == [("won", 0)]
    assert teller.books()["refunded"] == 0
    # Taken again, later: then it is lost.
    teller.clock.advance(60)
    teller.stripe.emit("charge.dispute.funds_withdrawn", dispute)
    teller.happened()
    assert teller.books()["disputes"] == [("lost", 0)]
    assert teller.books()["refunded"] == 40
