"""The scenes of the demo, in order. Each acts as a buyer or as Stripe, shows what happened, and checks it."""

from __future__ import annotations

import uuid
from pathlib import Path

from local.aws.user_pool import READY_USER, id_token
from local.demo import envelopes, screen
from local.demo.stage import DemoError, Stage
from ticketing.operators.sample_shop import CODE, SampleShop

_OK = 200
# Stripe's test IBAN whose debit succeeds after three minutes; the demo does not wait so long, it settles it:
# https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test
_IBAN = "AT321904300235473204"


def buy_a_ticket(stage: Stage, shop: SampleShop) -> str:
    """A buyer with an account buys two tickets with a discount code; gives the Stripe event's id."""
    screen.headline(stage.screen, 1, "A buyer checks out, pays at Stripe, and has a ticket")
    token = _log_in(stage)
    counts_at_first = stage.counts(shop)
    status, reply = stage.call(
        "POST",
        f"/events/{shop.event_id}/tickets/{shop.ticket_id}/checkout",
        body={"quantity": 2, "email": READY_USER.email, "discount_code": CODE.lower()},
        token=token,
    )
    if status != _OK:
        raise DemoError(f"The checkout was refused: {status} {reply}")
    order_id = int(reply["order_id"])
    before, held = stage.order(order_id), stage.counts(shop)
    stage.check(
        f"The checkout made order {order_id} and holds its seats and its code use",
        holds=before["status"] == "pending" and held["held_quantity"] == counts_at_first["held_quantity"] + 2,
    )
    stage.stripe.pay(reply["session_id"])
    execution = stage.next_execution()
    after, counts = stage.order(order_id), stage.counts(shop)
    screen.changes(stage.screen, f"Order {order_id}", before, after)
    screen.changes(stage.screen, "Counts", held, counts, counts=True)
    screen.steps(stage.screen, execution)
    stage.check("The order is paid", holds=after["status"] == "paid" and execution.status == "SUCCEEDED")
    stage.check(
        "Two seats moved from held to sold, one code use from held to used",
        holds=(counts["sold_quantity"], counts["held_quantity"], counts["used_count"], counts["held_count"])
        == (counts_at_first["sold_quantity"] + 2, 0, counts_at_first["used_count"] + 1, 0),
    )
    _, profile = stage.call("GET", "/user/tickets", token=token)
    mine = [order for order in profile.get("orders", []) if str(order["id"]) == str(order_id)]
    stage.check(
        "The buyer sees the ticket in the profile",
        holds=[(order["status"], order["event_name"]) for order in mine] == [("paid", "Salsa Night")],
    )
    return next(str(reported["event_id"]) for reported in reversed(stage.stripe.deliveries()))


def deliver_again(stage: Stage, shop: SampleShop, event_id: str) -> None:
    """Stripe delivers the same event once more: nothing changes."""
    screen.headline(stage.screen, 2, "Stripe delivers the same event again")
    before = stage.counts(shop)
    stage.stripe.redeliver(event_id)
    execution = stage.next_execution()
    screen.changes(stage.screen, "Counts", before, stage.counts(shop), counts=True)
    stage.check("The second execution succeeded", holds=execution.status == "SUCCEEDED")
    stage.check("It changed nothing", holds=stage.counts(shop) == before and execution.output["changed"] is False)


def pay_a_wrong_amount(stage: Stage, shop: SampleShop) -> None:
    """Stripe reports another amount than the order's: one alert, nothing changed."""
    screen.headline(stage.screen, 3, "Stripe reports a wrong amount")
    order_id = stage.place_pending_order(shop, session_id=f"cs_test_demo{uuid.uuid4().hex[:12]}")
    before, alerts = stage.order(order_id), len(stage.stack.alerts())
    event = envelopes.session_event(
        before, "checkout.session.completed", stage.stripe.destination.source, amount_total=1
    )
    stage.stack.put_event(event)
    execution = stage.next_execution()
    screen.steps(stage.screen, execution)
    stage.check(
        "The execution failed with the error of the step that failed",
        holds=(execution.status, execution.error) == ("FAILED", "AmountMismatch"),
    )
    stage.check("The order is as it was", holds=stage.order(order_id) == before)
    reported = stage.stack.alerts()[alerts:]
    stage.check("The operators got exactly one alert:", holds=len(reported) == 1)
    for alert in reported:
        screen.alert(stage.screen, alert)


def pay_by_bank_debit(stage: Stage, shop: SampleShop) -> None:
    """A delayed payment method: processing first, paid when the bank says so."""
    screen.headline(stage.screen, 4, "A buyer pays by bank debit: the result comes later")
    status, reply = stage.call(
        "POST",
        f"/events/{shop.event_id}/tickets/{shop.ticket_id}/checkout",
        body={"email": "guest@example.com"},
    )
    if status != _OK:
        raise DemoError(f"The checkout was refused: {status} {reply}")
    order_id = int(reply["order_id"])
    stage.stripe.pay(reply["session_id"], card=None, iban=_IBAN, name="Ada Buyer")
    stage.next_execution()
    waiting = stage.order(order_id)
    stage.check(
        "The order waits, and keeps its seat", holds=(waiting["status"], waiting["held_quantity"]) == ("processing", 1)
    )
    stage.stripe.settle(reply["session_id"])
    stage.next_execution()
    after = stage.order(order_id)
    screen.changes(stage.screen, f"Order {order_id}", waiting, after)
    stage.check("The bank paid: the order is paid", holds=after["status"] == "paid")


def pay_too_late(stage: Stage, shop: SampleShop) -> None:
    """The order expired before its payment arrived: its seat is taken again while one is free."""
    screen.headline(stage.screen, 5, "A payment arrives after its order has expired")
    order_id = stage.place_pending_order(shop, session_id=f"cs_test_demo{uuid.uuid4().hex[:12]}")
    order, source = stage.order(order_id), stage.stripe.destination.source
    stage.stack.put_event(
        envelopes.session_event(order, "checkout.session.expired", source, payment_status="unpaid", status="expired")
    )
    stage.next_execution()
    expired = stage.order(order_id)
    stage.check("The order has expired", holds=expired["status"] == "expired")
    stage.stack.put_event(envelopes.session_event(order, "checkout.session.completed", source))
    stage.next_execution()
    after = stage.order(order_id)
    screen.changes(stage.screen, f"Order {order_id}", expired, after)
    stage.check("There was a seat left, so the buyer has a ticket", holds=after["status"] == "paid")


def send_file(stage: Stage, shop: SampleShop, file: Path, *, as_it_is: bool) -> None:
    """Send the event of a file, fitted to an order of the demo's shop unless told otherwise."""
    envelope = envelopes.read_envelope(file)
    screen.headline(stage.screen, 1, f"The event of {file.name}")
    order_id = stage.place_pending_order(shop, session_id=f"cs_test_demo{uuid.uuid4().hex[:12]}", quantity=2)
    if not as_it_is:
        if envelopes.needs_a_paid_order(envelope):
            payment = envelopes.session_event(
                stage.order(order_id), "checkout.session.completed", stage.stripe.destination.source
            )
            stage.stack.put_event(payment)
            stage.next_execution()
        envelope = envelopes.fitted(envelope, stage.order(order_id))
        stage.screen.print(
            f"  Fitted to order {order_id}: its id, session or payment, and amount (AS_IS=1 sends it unchanged)."
        )
    before, counts, alerts = stage.order(order_id), stage.counts(shop), len(stage.stack.alerts())
    stage.stack.put_event(envelope)
    execution = stage.next_execution()
    screen.changes(stage.screen, f"Order {order_id}", before, stage.order(order_id))
    screen.changes(stage.screen, "Counts", counts, stage.counts(shop), counts=True)
    screen.steps(stage.screen, execution)
    reported = stage.stack.alerts()[alerts:]
    for alert in reported:
        screen.alert(stage.screen, alert)
    stage.check(
        "The execution succeeded, or failed with exactly one alert",
        holds=execution.status == "SUCCEEDED" or (execution.status == "FAILED" and len(reported) == 1),
    )


def _log_in(stage: Stage) -> str:
    """Log the sample shop's buyer in, and give the ID token."""
    return id_token(stage.stack.client("cognito-idp"), stage.stack.cognito["client_id"], READY_USER)
