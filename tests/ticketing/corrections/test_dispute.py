"""Answering a dispute, cut off anywhere: the same wish continues, and the bank is answered once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.factories import create_order, row_of
from tests.ticketing.paid_orders import pay
from ticketing.corrections.dispute.answer import DisputeReport, Wish, answer
from ticketing.corrections.dispute.evidence import FILE_FIELDS, TEXT_FIELDS
from ticketing.corrections.refund_seats import RefundSeats, refund_seats
from ticketing.database import Database
from ticketing.errors import StripeUnavailable
from ticketing.operators.forget_buyer import FORGOTTEN
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.disputes import StripeDispute

SAID = {"uncategorized_text": "She danced."}


class Stripe:
    """One dispute; `breaks` is raised by what changes it, before or after it did."""

    def __init__(self, order_id: int, **fields: Any) -> None:
        given: dict[str, Any] = {"status": "needs_response", "due_by": 1, "evidence": {}, "submission_count": 0}
        self.dispute = StripeDispute(
            dispute_id="du_1",
            charge_id="ch_1",
            payment_intent_id=f"pi_order{order_id}",
            amount_minor=2100,
            currency="eur",
            reason="fraudulent",
            past_due=False,
            **(given | fields),
        )
        self.breaks: Exception | None = None
        self.after = False
        self.asked = 0

    def retrieve(self, dispute_id: str) -> StripeDispute | None:
        return self.dispute if dispute_id == "du_1" else None

    def of_payment(self, payment_intent_id: str) -> list[StripeDispute]:
        return [self.dispute] if payment_intent_id == self.dispute.payment_intent_id else []

    def of_charge(self, charge_id: str) -> list[StripeDispute]:
        return [self.dispute] if charge_id == self.dispute.charge_id else []

    def give(self, dispute: StripeDispute, evidence: dict[str, str], *, submit: bool) -> StripeDispute:
        changed: dict[str, Any] = {"evidence": dispute.evidence | evidence}
        return self._becomes(**changed, **({"status": "under_review", "submission_count": 1} if submit else {}))

    def accept(self, dispute: StripeDispute) -> StripeDispute:
        assert dispute == self.dispute
        return self._becomes(status="lost")

    def _becomes(self, **fields: Any) -> StripeDispute:
        self.asked += 1
        if self.breaks is None or self.after:
            self.dispute = msgspec.structs.replace(self.dispute, **fields)
        if self.breaks is not None:
            raise self.breaks
        return self.dispute


@pytest.fixture
def order(database: Database) -> int:
    order_id = create_order(database, quantity=2)
    pay(database, order_id)
    return order_id


def say(database: Database, stripe: Stripe, action: Any, **fields: Any) -> DisputeReport:
    """As `cachao dispute` does: the preview, then what was shown."""
    wish = Wish(wanted="du_1", action=action, by="jenny", reason="why", **fields)
    preview = answer(database, stripe, wish)
    if preview.refused or (preview.already and not preview.begun):
        return preview
    return answer(database, stripe, msgspec.structs.replace(wish, seen=preview.seen))


def kept(database: Database, order_id: int) -> list[tuple[str, bool]]:
    with database.transaction() as tx:
        rows = tx.all("SELECT request, done_at FROM order_corrections WHERE order_id = %s ORDER BY id", order_id)
    return [(row["request"], row["done_at"] is not None) for row in rows]


def entries(database: Database, order_id: int) -> list[str]:
    with database.transaction() as tx:
        rows = tx.all("SELECT entry FROM order_history WHERE order_id = %s AND entry LIKE 'dispute%%'", order_id)
    return [row["entry"] for row in rows]


@pytest.mark.parametrize(("action", "entry"), [("submit", "dispute_answered"), ("accept", "dispute_accepted")])
@pytest.mark.parametrize("after", [False, True])
def test_when_nobody_knows_whether_it_arrived_the_same_wish_continues(
    database: Database, order: int, action: str, entry: str, after: bool
) -> None:
    stripe = Stripe(order, evidence=SAID)
    stripe.breaks, stripe.after = StripeUnavailable("no answer"), after
    with pytest.raises(StripeUnavailable):
        say(database, stripe, action)
    assert (kept(database, order), entries(database, order)) == ([(f"dispute du_1 --{action}", False)], [])
    other = say(database, stripe, "accept" if action == "submit" else "submit")
    assert after or f"cachao dispute du_1 --{action}" in other.advice
    # Whoever would refund seats meanwhile is told what to finish first.
    refused = refund_seats(database, Nobody(), order, RefundSeats(seats=1), by="", reason=None, seen=None)
    assert f"cachao dispute du_1 --{action}" in refused.advice
    stripe.breaks = None
    done = say(database, stripe, action)
    assert (done.done, stripe.asked) == (True, 1 if after else 2)
    assert (kept(database, order), entries(database, order)) == ([(f"dispute du_1 --{action}", True)], [entry])
    assert say(database, stripe, action).already
    assert stripe.asked == (1 if after else 2)


def test_what_stripe_refuses_is_said_and_may_be_said_again(database: Database, order: int) -> None:
    stripe = Stripe(order)
    stripe.breaks = StripeRefused("Too many pages.", code="dispute_evidence_page_limit_exceeded")
    refused = say(database, stripe, "submit", evidence=SAID)
    assert (refused.refused, "shorter files" in refused.advice) == ("Too many pages.", True)
    assert kept(database, order) == [("dispute du_1 --submit (refused)", True)]
    stripe.breaks = None
    assert say(database, stripe, "submit", evidence=SAID).done


def test_another_state_than_was_seen_changes_nothing(database: Database, order: int) -> None:
    stripe = Stripe(order)
    seen = answer(database, stripe, Wish(wanted="du_1")).seen
    stripe.dispute = msgspec.structs.replace(stripe.dispute, evidence={"receipt": "file_1"})
    moved = answer(database, stripe, Wish(wanted="du_1", action="submit", evidence=SAID, seen=seen))
    assert (moved.moved_on, moved.done, stripe.asked, kept(database, order)) == (True, False, 0, [])


def test_where_the_bank_takes_no_answer_it_can_be_accepted(database: Database, order: int) -> None:
    stripe = Stripe(order, due_by=0)
    assert "takes no answer" in say(database, stripe, "submit", evidence=SAID).refused
    assert say(database, stripe, "accept").done


def test_a_deadline_that_is_over_is_said(database: Database, order: int) -> None:
    preview = answer(database, Stripe(order), Wish(wanted="du_1", action="stage", evidence=SAID))
    assert preview.notes == ["The deadline is over: the bank need not look at it any more."]


def test_all_texts_together_have_a_limit(database: Database, order: int) -> None:
    long = dict.fromkeys(sorted(TEXT_FIELDS)[:7], "x" * 20000)
    stripe = Stripe(order, evidence=long | {"receipt": "x" * 20_000})
    assert say(database, stripe, "stage", evidence={"uncategorized_text": "x" * 10_000}).done
    assert "Stripe takes 150000" in say(database, stripe, "stage", evidence={"service_date": "x"}).refused
    assert "no field" in say(database, stripe, "stage", evidence={"appeal": "x"}).refused


def test_of_a_forgotten_buyer_nothing_is_said(database: Database, order: int) -> None:
    for order_id in (order, create_order(database)):
        with database.transaction() as tx:
            tx.change("UPDATE ticket_orders SET email = %s WHERE id = %s", FORGOTTEN, order_id)
    report = answer(database, Stripe(order), Wish(wanted=str(order), action="stage", from_order=True))
    assert report.facts is not None
    assert report.facts.others == 0
    assert "customer_email_address" not in report.given
    assert row_of(database, "ticket_orders", order)["email"] == FORGOTTEN


def test_no_field_is_a_file_and_a_text() -> None:
    assert set() == FILE_FIELDS & TEXT_FIELDS


class Nobody:
    """Refunds nothing."""

    def refund(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    def made_for(self, *_: Any, **__: Any) -> Any:
        raise AssertionError


@pytest.mark.parametrize("wanted", ["txn_1", "", "0{}", "{}; DROP"])
def test_what_is_no_orders_number_names_no_order(database: Database, wanted: str) -> None:
    """As everywhere (`ticketing.orders.numbers`): text was an unforeseen error, "012" was order 12."""
    order = create_order(database)
    pay(database, order)
    said = wanted.format(order)
    assert answer(database, Stripe(order), Wish(wanted=said)).refused == f"There is no order {said}."
