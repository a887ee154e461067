"""Disputes against a real MariaDB: whatever is told in whatever order, books and alerts say what is true."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import create_order, create_ticket, row_of
from tests.sizes import size
from tests.ticketing.paid_orders import (
    AT,
    dispute,
    dispute_event,
    dispute_row,
    entries,
    order_row,
    pay,
    refund,
    refund_charge,
    refunded,
    seats,
    status,
)
from ticketing.alerts import Alert
from ticketing.database import Database
from ticketing.errors import DuplicatePayment, OrderMismatch, OrderNotFound, PaymentForClosedOrder, RefundFailed
from ticketing.orders import history
from ticketing.payments.disputes import DisputeRecorded, record_dispute
from ticketing.payments.lookup import look_up_order

CREATED = "charge.dispute.created"
UPDATED = "charge.dispute.updated"
WITHDRAWN = "charge.dispute.funds_withdrawn"
REINSTATED = "charge.dispute.funds_reinstated"
CLOSED = "charge.dispute.closed"
DUE = 1796644800  # 2026-12-07 12:00 UTC


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    """Which execution writes is the test's to say."""
    history.written_by(None)
    yield
    history.written_by(None)


def alert_of(recorded: DisputeRecorded) -> Alert:
    [alert] = recorded.alerts
    assert alert.name == recorded.told
    return alert


def paid_order(database: Database, *, quantity: int = 1) -> int:
    order = create_order(database, quantity=quantity)
    pay(database, order)
    return order


# --- One event alone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "alert", "order_is", "message", "what_to_do"),
    [
        ("warning_needs_response", "DisputeOpened", "paid", "the shop still has the money", "--although-disputed"),
        ("warning_under_review", "DisputeOpened", "paid", "the shop still has the money", "answer it"),
        ("warning_closed", "DisputeWon", "paid", "the bank does not dispute the payment", "nothing."),
        ("needs_response", "DisputeOpened", "paid", "the bank holds the money now", "do not refund it and do not pay"),
        ("under_review", "DisputeOpened", "paid", "the bank holds the money now", "do not refund it and do not pay"),
        ("won", "DisputeWon", "paid", "the bank leaves the disputed money with the shop", "nothing."),
        ("lost", "DisputeLost", "refunded", "the bank gave the money to the buyer", "refund nothing"),
        (
            "prevented",
            "DisputeClosed",
            "paid",
            "neither won nor lost",
            "see whether the money went back (cachao stripe dp_",
        ),
        ("never_heard_of", "DisputeOpened", "paid", "the bank holds the money now", "answer it"),
    ],
)
def test_the_status_says_what_a_dispute_is(
    database: Database, says: str, alert: str, order_is: str, message: str, what_to_do: str
) -> None:
    order = paid_order(database)
    told = dispute(database, order, CREATED, status=says)
    assert (alert_of(told).name, told.status, told.changed) == (alert, order_is, order_is == "refunded")
    assert f"dp_order{order} of 20.00 EUR, payment pi_order{order} of order {order}," in alert_of(told).message
    assert message in alert_of(told).message
    assert what_to_do in str(alert_of(told).what_to_do)
    assert dispute_row(database, order)["status"] == says


def test_a_status_that_nobody_knows_ends_it_where_the_event_says_so(database: Database) -> None:
    order = paid_order(database)
    assert alert_of(dispute(database, order, CLOSED, status="never_heard_of")).name == "DisputeClosed"
    assert dispute_row(database, order)["is_open"] == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"evidence_details": {"due_by": DUE}},
            "answer it before 2026-12-07 12:00 UTC, or accept it: cachao dispute dp_",
        ),
        ({"evidence_details": {"due_by": None}}, "answer it before its deadline, or"),
        ({"evidence_details": {"due_by": "soon"}}, "before its deadline"),
        ({"evidence_details": []}, "before its deadline"),
        ({"evidence_details": {"due_by": 10**20}}, "before its deadline"),
    ],
)
def test_it_says_until_when_as_far_as_that_can_be_read(database: Database, fields: dict[str, Any], says: str) -> None:
    order = paid_order(database)
    assert says in str(alert_of(dispute(database, order, CREATED, **fields)).what_to_do)


@pytest.mark.parametrize(
    ("reason", "says"),
    [("fraudulent", " The bank's reason: fraudulent."), ("jo@example.com", " The bank's reason: ?.")],
)
def test_it_says_why(database: Database, reason: str, says: str) -> None:
    order = paid_order(database)
    assert says in alert_of(dispute(database, order, CREATED, reason=reason)).message


def test_a_dispute_is_kept_with_what_operators_look_for(database: Database) -> None:
    order = paid_order(database)
    fields = {"reason": "fraudulent", "evidence_details": {"due_by": DUE}}
    dispute(database, order, CREATED, **fields)
    dispute(database, order, WITHDRAWN, at=AT + 1, **fields)
    row = dispute_row(database, order)
    due_by = datetime.fromtimestamp(DUE, UTC).replace(tzinfo=None)
    assert (row["order_id"], row["payment_key"], row["stripe_charge_id"], row["amount_minor"], row["currency"]) == (
        order,
        f"pi_order{order}",
        f"ch_order{order}",
        2000,
        "eur",
    )
    assert (row["status"], row["reason"], row["due_by"], row["is_open"]) == ("needs_response", "fraudulent", due_by, 1)
    assert (row["funds_withdrawn_at"] - row["reported_at"]).total_seconds() == 0
    assert entries(database, order)[-2:] == ["dispute_opened", "dispute_funds_withdrawn"]


def test_a_dispute_of_a_payment_that_nobody_knows_is_no_order(database: Database) -> None:
    order = create_order(database)
    event = dispute_event(database, order, CREATED, payment_intent="pi_unknown")
    with pytest.raises(OrderNotFound, match="pi_unknown"):
        look_up_order(database, event, find_session=lambda _: None)


def test_a_dispute_of_another_order_changes_nothing(database: Database) -> None:
    order, other = paid_order(database), paid_order(database)
    dispute(database, order, CREATED)
    event = dispute_event(database, other, CLOSED, id=f"dp_order{order}", status="lost")
    with pytest.raises(OrderMismatch, match=f"belongs to order {order}"):
        record_dispute(database, other, event)
    assert status(database, other) == "paid"
    assert dispute_row(database, order)["status"] == "needs_response"


# --- Told once -------------------------------------------------------------------------------------------------------


def test_the_money_leaving_at_once_is_no_second_alert(database: Database) -> None:
    """Stripe sends both events for each dispute that is no inquiry."""
    for first, second in ((CREATED, WITHDRAWN), (WITHDRAWN, CREATED)):
        order = paid_order(database)
        assert alert_of(dispute(database, order, first)).name == "DisputeOpened"
        assert dispute(database, order, second).told is None


def test_evidence_that_was_sent_is_no_news(database: Database) -> None:
    order = paid_order(database)
    dispute(database, order, CREATED)
    assert dispute(database, order, UPDATED, status="under_review", at=AT + 60).told is None
    assert dispute_row(database, order)["status"] == "under_review"


def test_a_repeated_task_and_a_replay_tell_again_and_the_other_entry_point_does_not(database: Database) -> None:
    order = paid_order(database)
    event = dispute_event(database, order, CREATED)

    def told(execution: str) -> bool:
        history.written_by(execution)
        return record_dispute(database, order, event).told is not None

    assert [told("one"), told("one"), told("the other entry point's")] == [True, True, False]
    assert told("arn:aws:states:eu-west-1:123456789012:execution:TicketPayment:replay-1-one") is True
    with database.transaction() as tx:
        tx.change("UPDATE order_disputes SET alerted_at = alerted_at - INTERVAL 6 MINUTE")
    assert told("much later") is True
    dispute(database, order, CLOSED, status="won", at=AT + 60)
    assert told("arn:aws:states:eu-west-1:123456789012:execution:TicketPayment:replay-2-one") is False


@pytest.mark.parametrize(("closed_as", "order_is"), [("won", "paid"), ("lost", "refunded"), ("prevented", "paid")])
def test_what_is_told_after_the_end_changes_nothing_and_is_not_told(
    database: Database, closed_as: str, order_is: str
) -> None:
    order = paid_order(database)
    dispute(database, order, CLOSED, status=closed_as, at=AT + 60)
    for late in (CREATED, WITHDRAWN, UPDATED):
        assert dispute(database, order, late).told is None
    assert (dispute_row(database, order)["status"], status(database, order)) == (closed_as, order_is)
    assert alert_of(dispute(database, order, CREATED, id="dp_other")).name == "DisputeOpened"


# --- An inquiry that becomes a dispute --------------------------------------------------------------------------------


def test_an_inquiry_that_becomes_a_dispute_is_told_with_its_new_deadline(database: Database) -> None:
    order = paid_order(database)
    first = dispute(
        database, order, CREATED, status="warning_needs_response", evidence_details={"due_by": DUE - 10 * 86400}
    )
    assert "before 2026-11-27 12:00 UTC" in str(alert_of(first).what_to_do)
    updated = dispute(database, order, UPDATED, evidence_details={"due_by": DUE}, at=AT + 60)
    alert = alert_of(updated)
    assert (alert.name, updated.status) == ("DisputeOpened", "paid")
    assert f"Inquiry dp_order{order} of 20.00 EUR" in alert.message
    assert "became a dispute: the bank holds the money now." in alert.message
    assert "before 2026-12-07 12:00 UTC" in str(alert.what_to_do)
    assert "do not refund it" in str(alert.what_to_do)
    assert dispute(database, order, WITHDRAWN, evidence_details={"due_by": DUE}, at=AT + 60).told is None
    row = dispute_row(database, order)
    assert (row["status"], row["due_by"]) == ("needs_response", datetime.fromtimestamp(DUE, UTC).replace(tzinfo=None))


def test_money_that_leaves_makes_an_inquiry_a_dispute_whatever_its_status_says(database: Database) -> None:
    order = paid_order(database)
    dispute(database, order, CREATED, status="warning_needs_response")
    told = dispute(database, order, WITHDRAWN, status="warning_needs_response", at=AT + 60)
    assert "became a dispute" in alert_of(told).message


# --- Lost ------------------------------------------------------------------------------------------------------------


def test_a_lost_dispute_ends_the_order_and_gives_its_counts_back_once(database: Database) -> None:
    order = paid_order(database)
    for number in range(2):
        told = dispute(database, order, CLOSED, status="lost")
        assert (told.status, told.changed) == ("refunded", number == 0)
    assert (seats(database, order), refunded(database, order)) == ((0, 0), Decimal("20.00"))
    assert refund_charge(database, order, 2000).changed is False
    assert refunded(database, order) == Decimal("20.00")


def test_a_part_that_is_lost_is_a_refund_of_that_part(database: Database) -> None:
    """20.00 of 80.00: the ticket stays, and so do its four seats."""
    order = paid_order(database, quantity=4)
    dispute(database, order, CREATED, amount=2000)
    told = dispute(database, order, CLOSED, amount=2000, status="lost", at=AT + 60)
    assert (told.status, told.changed) == ("paid", False)
    assert (seats(database, order), refunded(database, order)) == ((4, 0), Decimal("20.00"))
    alert = alert_of(told)
    assert alert.name == "DisputeLost"
    assert "So far 20.00 EUR of 80.00 EUR went back" in alert.message
    assert "the buyer keeps the ticket (4 seats)" in alert.message
    assert alert.money_taken == "yes. The bank took it back; the shop keeps 60.00 EUR."
    assert str(alert.what_to_do).startswith("nothing: only a part went back, and the ticket stays valid.")
    # The rest goes back by a refund, and the order ends then.
    assert refund(database, order, 6000).status == "refunded"
    assert (seats(database, order), refunded(database, order)) == ((0, 0), Decimal("80.00"))


def test_a_part_that_is_lost_after_the_rest_was_refunded_ends_the_order(database: Database) -> None:
    order = paid_order(database)
    refund_charge(database, order, 500)
    assert dispute(database, order, CLOSED, status="lost", amount=1500).status == "refunded"
    assert refunded(database, order) == Decimal("20.00")


@pytest.mark.parametrize("fields", [{"amount": 2150}, {"amount": 1900, "currency": "usd"}])
def test_more_than_the_payment_or_another_currency_is_the_whole_payment(
    database: Database, fields: dict[str, Any]
) -> None:
    order = paid_order(database)
    assert dispute(database, order, CLOSED, status="lost", **fields).status == "refunded"
    assert refunded(database, order) == Decimal("20.00")


def test_a_lost_dispute_of_one_of_two_payments_leaves_the_ticket_valid(database: Database) -> None:
    order = paid_order(database)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    told = dispute(database, order, CLOSED, status="lost")
    assert (alert_of(told).name, told.status) == ("DisputeLost", "paid")
    assert "is paid by pi_second, not by this payment" in alert_of(told).message
    assert refunded(database, order) == Decimal("0.00")


def test_a_disputed_duplicate_is_better_accepted(database: Database) -> None:
    order = paid_order(database)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    told = dispute(database, order, CREATED, payment_intent="pi_second", id="dp_second")
    assert "accept it, since this payment buys nothing (duplicate): cachao dispute dp_" in str(
        alert_of(told).what_to_do
    )


def test_a_lost_dispute_before_the_payment_event_ends_the_order(database: Database) -> None:
    order = create_order(database)
    event = dispute_event(database, order, CLOSED, status="lost")
    assert record_dispute(database, order, event).status == "refunded"
    assert pay(database, order).status == "refunded"
    assert seats(database, order) == (0, 0)


def test_a_part_lost_before_the_payment_event_leaves_the_order_to_it(database: Database) -> None:
    order = create_order(database, quantity=4)
    event = dispute_event(database, order, CLOSED, status="lost", amount=2000)
    assert record_dispute(database, order, event).status == "pending"
    assert pay(database, order).status == "paid"
    assert (seats(database, order), refunded(database, order)) == ((4, 0), Decimal("20.00"))


def test_a_dispute_in_the_buyers_currency_is_settled_by_the_payment_event(database: Database) -> None:
    order = create_order(database, quantity=2)
    conversion = {"amount_total": 4000, "source_currency": "eur"}
    event = dispute_event(database, order, CLOSED, status="lost", amount=1150, currency="usd")
    assert record_dispute(database, order, event).status == "pending"
    paid = pay(database, order, amount_total=4600, currency="usd", currency_conversion=conversion)
    assert (paid.status, refunded(database, order)) == ("paid", Decimal("10.00"))


def test_an_order_that_ended_unpaid_keeps_its_end(database: Database) -> None:
    order = create_order(database, hold=False, status="expired", ticket_id=create_ticket(database, max_quantity=0))
    told = record_dispute(database, order, dispute_event(database, order, CLOSED, status="lost"))
    assert (told.status, told.changed) == ("expired", False)
    assert "is expired: the buyer has no ticket" in alert_of(told).message


# --- Lost, then won --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [REINSTATED, CLOSED])
def test_a_lost_dispute_that_is_won_gives_the_money_back_to_the_books(database: Database, first: str) -> None:
    order = paid_order(database)
    dispute(database, order, CLOSED, status="lost")
    told = dispute(database, order, first, status="won", at=AT + 60)
    assert (alert_of(told).name, told.status) == ("DisputeWon", "refunded")
    assert "was won after it had been lost" in alert_of(told).message
    assert "stays refunded: the buyer has no ticket, its 1 seat went back on sale" in alert_of(told).message
    to_do = str(alert_of(told).what_to_do)
    assert "give the buyer a ticket again as the runbook says, or refund the money" in to_do
    assert f"cachao refund {order} --payment pi_order{order}. That refunds 20.00 EUR." in to_do
    assert (seats(database, order), refunded(database, order)) == ((0, 0), Decimal("0.00"))
    second = CLOSED if first == REINSTATED else REINSTATED
    assert dispute(database, order, second, status="won", at=AT + 60).told is None


def test_reinstated_funds_count_before_the_status_says_so(database: Database) -> None:
    order = paid_order(database)
    dispute(database, order, CLOSED, status="lost")
    assert alert_of(dispute(database, order, REINSTATED, status="lost", at=AT + 60)).name == "DisputeWon"
    assert dispute(database, order, UPDATED, status="lost", at=AT + 70).told is None
    assert refunded(database, order) == Decimal("0.00")


def test_of_one_moment_the_loss_that_arrives_after_the_win_changes_no_status(database: Database) -> None:
    """All within a second: the loss, told last, was kept as the status beside money that stands."""
    order = paid_order(database)
    for event, says in ((REINSTATED, "won"), (CLOSED, "won"), (CLOSED, "lost")):
        dispute(database, order, event, status=says)
    with database.transaction() as tx:
        row = tx.one("SELECT status, phase FROM order_disputes WHERE order_id = %s", order)
    assert row == {"status": "won", "phase": "won"}


def test_a_part_that_was_lost_and_won_needs_nobody(database: Database) -> None:
    order = paid_order(database, quantity=4)
    dispute(database, order, CLOSED, amount=2000, status="lost")
    told = dispute(database, order, CLOSED, amount=2000, status="won", at=AT + 60)
    assert (told.status, refunded(database, order), seats(database, order)) == ("paid", Decimal("0.00"), (4, 0))
    assert alert_of(told).what_to_do == "nothing."


def test_a_won_payment_that_another_one_replaced_goes_back(database: Database) -> None:
    order = paid_order(database)
    with pytest.raises(DuplicatePayment):
        pay(database, order, payment_intent="pi_second")
    dispute(database, order, CLOSED, status="lost")
    told = dispute(database, order, CLOSED, status="won", at=AT + 60)
    assert "is paid by pi_second, not by this payment" in alert_of(told).message
    assert f"cachao refund {order} --payment pi_order{order}. That" in str(alert_of(told).what_to_do)


def test_a_dispute_that_is_won_and_lost_again_is_lost(database: Database) -> None:
    order = paid_order(database)
    for number, says in enumerate(("lost", "won", "lost")):
        dispute(database, order, CLOSED, status=says, at=AT + number)
    assert refunded(database, order) == Decimal("20.00")


@pytest.mark.parametrize("order_of_arrival", list(itertools.permutations(range(5)))[:: size(7, 1)])
def test_in_any_order_and_twice_the_books_end_the_same(database: Database, order_of_arrival: tuple[int, ...]) -> None:
    """Opened, lost, won: each at a time of its own; and all of it once more."""
    order = create_order(database)
    says = [(CREATED, "needs_response"), (WITHDRAWN, "needs_response"), (CLOSED, "lost"), (REINSTATED, "won")]
    events = [
        dispute_event(database, order, event_type, status=status_then, at=AT + number)
        for number, (event_type, status_then) in enumerate(says)
    ]
    won_before_lost = order_of_arrival.index(3) < order_of_arrival.index(2)
    for place in order_of_arrival * 2:
        if place < len(events):
            record_dispute(database, order, events[place])
            continue
        # Once it stands again for an order that ended, its own event is an alert.
        with contextlib.suppress(PaymentForClosedOrder):
            pay(database, order)
    assert refunded(database, order) == Decimal("0.00")
    row = dispute_row(database, order)
    assert (row["phase"], row["is_open"]) == ("won", Decimal(0))
    assert status(database, order) == ("paid" if won_before_lost else "refunded")
    assert seats(database, order) == ((1, 0) if won_before_lost else (0, 0))


def fetched(database: Database, order: int, event_type: str, says: str, *, at: int, asked_at: int) -> DisputeRecorded:
    """A thin event's way through RecordDispute: `at` is when it happened."""
    event = dispute_event(database, order, event_type, status=says, at=at)
    event.fetched_at = asked_at
    return record_dispute(database, order, event)


def test_of_two_states_asked_for_together_the_one_that_can_follow_the_other_is_newer(database: Database) -> None:
    order = paid_order(database)
    fetched(database, order, CLOSED, "lost", at=AT + 60, asked_at=AT + 63)
    # Asked for before, answered later: or the other way round, nobody knows.
    for asked_at in (AT + 60, AT + 63, AT + 68):
        assert fetched(database, order, CREATED, "needs_response", at=AT, asked_at=asked_at).told is None
    assert (dispute_row(database, order)["phase"], status(database, order)) == ("lost", "refunded")


def test_an_old_thin_event_says_of_the_money_what_was_true_then(database: Database) -> None:
    order = paid_order(database)
    fetched(database, order, WITHDRAWN, "lost", at=AT, asked_at=AT + 1)
    fetched(database, order, REINSTATED, "lost", at=AT + 60, asked_at=AT + 61)
    for event_type in (WITHDRAWN, CLOSED, UPDATED, REINSTATED):
        fetched(database, order, event_type, "lost", at=AT + 1, asked_at=AT + 3600)
        row = dispute_row(database, order)
        assert (row["phase"], refunded(database, order)) == ("won", Decimal(0))
        assert (row["funds_reinstated_at"] - row["funds_withdrawn_at"]).total_seconds() == 59
    fetched(database, order, WITHDRAWN, "lost", at=AT + 120, asked_at=AT + 7200)
    fetched(database, order, REINSTATED, "lost", at=AT + 60, asked_at=AT + 7300)
    assert (dispute_row(database, order)["phase"], refunded(database, order)) == ("lost", Decimal(20))


# --- Together with refunds --------------------------------------------------------------------------------------------


def failed(database: Database, order: int, amount: int = 2000, **fields: Any) -> str:
    with pytest.raises(RefundFailed) as caught:
        refund(database, order, amount, "refund.failed", status="failed", **fields)
    return str(caught.value)


def test_a_refund_that_failed_after_the_dispute_was_lost_is_not_paid_again(database: Database) -> None:
    order = paid_order(database)
    refund(database, order, 2000, status="pending")
    lost = dispute(database, order, CLOSED, status="lost")
    assert "pay nothing more. The buyer also got a refund (re_order" in str(alert_of(lost).what_to_do)
    said = failed(database, order)
    assert f"What to do now: nothing: all of it already went back, by the lost dispute dp_order{order}." in said
    assert "cachao refund" not in said
    assert "another way" not in said


def test_a_refund_that_failed_while_the_bank_holds_the_money_is_not_paid_again(database: Database) -> None:
    order = paid_order(database)
    refund(database, order, 2000, status="pending")
    told = dispute(database, order, CREATED, evidence_details={"due_by": DUE})
    assert "say that the money already went back" in str(alert_of(told).what_to_do)
    assert "refund re_order" in str(alert_of(told).what_to_do)
    said = failed(database, order)
    assert "What to do now: do not refund it and do not pay the buyer in another way" in said
    assert "before 2026-12-07 12:00 UTC" in said
    assert "cachao refund" not in said


def test_a_refund_that_failed_while_the_bank_asks_can_be_made_again(database: Database) -> None:
    order = paid_order(database)
    dispute(database, order, CREATED, status="warning_needs_response")
    said = failed(database, order)
    assert f"cachao refund {order} --payment pi_order{order} --end-order --although-disputed" in said


def test_a_refund_that_failed_when_another_one_went_through_is_not_made_again(database: Database) -> None:
    order = paid_order(database)
    refund(database, order, 2000, id="re_1", status="pending")
    refund(database, order, 2000, id="re_2")
    said = failed(database, order, id="re_1")
    assert "nothing: all of it already went back, by refund re_2" in said


def test_a_dispute_of_a_refunded_payment_says_that_it_was_refunded(database: Database) -> None:
    order = paid_order(database)
    refund(database, order, 2000)
    told = dispute(database, order, CREATED)
    assert "So far 20.00 EUR of 20.00 EUR went back, by refund re_order" in alert_of(told).message
    assert "say that the money already went back" in str(alert_of(told).what_to_do)


def test_a_won_dispute_of_a_refunded_payment_leaves_nothing_to_do(database: Database) -> None:
    order = paid_order(database)
    refund(database, order, 2000)
    told = dispute(database, order, CLOSED, status="won")
    assert str(alert_of(told).what_to_do).startswith("nothing. Refund nothing more")


def test_two_disputes_of_one_payment_are_both_looked_at(database: Database) -> None:
    order = paid_order(database, quantity=4)
    dispute(database, order, CREATED, id="dp_1", amount=2000)
    dispute(database, order, CREATED, id="dp_2", amount=2000)
    told = dispute(database, order, CLOSED, id="dp_1", amount=2000, status="won", at=AT + 60)
    assert "dispute dp_2 of the same payment is still open" in str(alert_of(told).what_to_do)
    for number, key in enumerate(("dp_1", "dp_2")):
        dispute(database, order, CLOSED, id=key, amount=2000, status="lost", at=AT + 90 + number)
    assert (status(database, order), refunded(database, order)) == ("paid", Decimal("40.00"))


def test_nothing_of_the_buyer_is_told(database: Database) -> None:
    order = paid_order(database)
    told = dispute(database, order, CREATED, evidence={"customer_email_address": "jenny@example.com"})
    text = repr(told) + repr(dispute_row(database, order))
    assert "jenny" not in text
    assert str(row_of(database, "ticket_orders", order)["email"]) not in text
    assert order_row(database, order)["status"] == "paid"
