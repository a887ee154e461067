"""Any interleaving of checkouts, events, sweeps, refunds and disputes keeps the shop's counts right.

Hypothesis makes the interleavings: events arrive late, repeated, out of order or never, and executions stop between
their tasks. After every step the counters of a real MariaDB must be what its orders say; and when in the end all
events have arrived, every order must be what Stripe says of its money. A failure prints the steps that lead to it, and
the command that repeats the run: PROPERTY_SEED says where all chance comes from.
"""

from __future__ import annotations

import copy
import functools
import os
import random
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import TABLES
from tests.factories import create_code, create_event, create_ticket, envelope, read_as
from tests.handlers.workflow.workflow_by_hand import WorkflowBus, run_workflow
from tests.property.stripe_model import Session, StripeModel
from tests.sizes import size
from ticketing.alerts import Alert
from ticketing.checkout.checkout import check_out
from ticketing.checkout.errors import CheckoutRefused
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms
from ticketing.database import Database, Row
from ticketing.errors import PermanentError, StripeUnavailable
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.lookup import FoundOrder, look_up_order
from ticketing.reconciliation.run import Options, Report, reconcile
from ticketing.stripe.events import SessionEvent

ROOT = Path(__file__).parents[2]
SEATS = 6
USES = 2
SEED = "PROPERTY_SEED"
TERMS = CheckoutTerms(currency="eur", hold_seconds=1800, lock_seconds=32, delayed_method_days=7)
ANY = st.integers(min_value=0, max_value=10_000)
# Of many, mostly one of the last: what just happened is what races.
RECENT = st.one_of(st.integers(0, 2), st.integers(0, 2), ANY)


class Shop(RuleBasedStateMachine):
    """A shop with one scarce ticket, two scarce codes (half the price, and all of it), and a Stripe to go with it."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        with database.transaction() as tx:
            for table in TABLES:
                tx.change(f"DELETE FROM {table}")
        self.database = database
        self.stripe = StripeModel()
        self.event = create_event(database)
        self.ticket = create_ticket(database, event_id=self.event, max_quantity=SEATS)
        for code, value in (("HALF", 50), ("FREE", 100)):
            create_code(database, event_id=self.event, code=code, discount_value=value, max_uses=USES)
        # Counts of executions that stopped after MarkOrderPaid, and that will go on some time.
        self.counts_due: list[Callable[[], object]] = []
        self.arrived: set[int] = set()

    # --- Buyers and banks --------------------------------------------------------------------------------------------
    # Hypothesis takes each rule about as often: what is rare in life shares a rule with other rare things.

    @initialize()
    def opens(self) -> None:
        self.checks_out(1, None, None)
        self.checks_out(2, "half", None)

    @rule(
        quantity=st.integers(1, 3),
        code=st.sampled_from([None, None, "half", "FREE"]),
        mishap=st.sampled_from([None, None, None, None, "stripe is away", "dies before the session's id is stored"]),
    )
    def checks_out(self, quantity: int, code: str | None, mishap: str | None) -> None:
        self.stripe.refuses_to_open = mishap == "stripe is away"
        request = CheckoutRequest(
            event_id=self.event,
            ticket_id=self.ticket,
            quantity=quantity,
            email="buyer@example.com",
            origin="https://shop.example",
            discount_code=code,
        )
        try:
            reply = check_out(self.database, self.stripe, request, TERMS)
        except (CheckoutRefused, StripeUnavailable) as error:
            note(f"refused: {error}")
            return
        if mishap is not None:
            self._change("UPDATE ticket_orders SET stripe_checkout_session_id = NULL WHERE id = %s", reply.order_id)

    @precondition(lambda self: self._sessions(status="open"))
    @rule(which=RECENT)
    def pays(self, which: int) -> None:
        self.stripe.pay(_pick(self._sessions(status="open"), which))

    @precondition(lambda self: self._sessions(status="open"))
    @rule(which=RECENT, happens=st.sampled_from(["pays later", "pays later", "lets it expire"]))
    def does_not_pay_yet(self, which: int, happens: str) -> None:
        session = _pick(self._sessions(status="open"), which)
        if happens == "pays later" and session["amount_total"]:
            self.stripe.pay_later(session)
        else:
            self.stripe.expire(session["id"])

    @precondition(lambda self: self._awaited())
    @rule(which=RECENT, succeeded=st.booleans())
    def delayed_payment_is_decided(self, which: int, succeeded: bool) -> None:
        self.stripe.settle(_pick(self._awaited(), which), succeeded=succeeded)

    @precondition(lambda self: self._sessions(status="complete"))
    @rule(which=RECENT)
    def pays_again_in_another_session(self, which: int) -> None:
        first = _pick(self._sessions(status="complete"), which)
        self.stripe.pay(self.stripe.new_session(first["metadata"], first["amount_total"]))

    @precondition(lambda self: self._refundable())
    @rule(which=RECENT, part=st.sampled_from([1, 1, 2]))
    def is_refunded(self, which: int, part: int) -> None:
        session = _pick(self._refundable(), which)
        charge = self.stripe.charges[session["payment_intent"]]
        left = charge["amount"] - charge["amount_refunded"]
        self.stripe.refund(session, max(1, left // part))

    @precondition(lambda self: self._refundable() or self._refunds_pending() or self._disputes_open())
    @rule(
        which=RECENT,
        happens=st.sampled_from(
            [*["refund ends", "refund fails", "dispute", "dispute of a part", "inquiry"], *["won", "lost", "lost"]]
        ),
    )
    def bank_acts(self, which: int, happens: str) -> None:
        if happens.startswith("refund") and self._refunds_pending():
            self.stripe.end_refund(_pick(self._refunds_pending(), which), succeeded=happens == "refund ends")
        elif happens in {"dispute", "dispute of a part", "inquiry"} and self._refundable():
            session = _pick(self._refundable(), which)
            part = session["amount_total"] // 2 if happens == "dispute of a part" else None
            self.stripe.dispute(session, amount=part, inquiry=happens == "inquiry")
        elif happens in {"won", "lost"} and self._disputes_open():
            self.stripe.close_dispute(_pick(self._disputes_open(), which), won=happens == "won")

    @precondition(lambda self: self._disputes("warning_needs_response", "lost"))
    @rule(which=RECENT, dropped=st.booleans())
    def bank_thinks_again(self, which: int, dropped: bool) -> None:
        """An inquiry becomes a dispute or is dropped; a lost dispute is won after all."""
        dispute = _pick(self._disputes("warning_needs_response", "lost"), which)
        if dispute["status"] == "lost":
            self.stripe.close_dispute(dispute, won=True)
        elif dropped:
            self.stripe.drop(dispute)
        else:
            self.stripe.escalate(dispute)

    # --- The workflow ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.stripe.events)
    @rule(which=RECENT)
    def event_arrives(self, which: int) -> None:
        """Any event that ever happened: the newest, an old one, one for the third time."""
        self._deliver(len(self.stripe.events) - 1 - which % len(self.stripe.events))

    @precondition(lambda self: self.stripe.events)
    @rule()
    def newest_event_arrives(self) -> None:
        self._deliver(len(self.stripe.events) - 1)

    @precondition(lambda self: len(self.arrived) < len(self.stripe.events))
    @rule()
    def oldest_event_arrives(self) -> None:
        self._deliver(min(set(range(len(self.stripe.events))) - self.arrived))

    @precondition(lambda self: self._payments_reported())
    @rule(which=RECENT)
    def payment_arrives_and_its_execution_stops_before_the_counts(self, which: int) -> None:
        number = _pick(self._payments_reported(), which)
        payment = read_as(SessionEvent, self.stripe.events[number])
        try:
            order = look_up_order(self.database, payment)
            assert isinstance(order, FoundOrder)
            mark_order_paid(self.database, order.order_id, payment)
        except PermanentError as error:
            note(f"alert: {type(error).__name__}")
            return
        self.counts_due.append(lambda: count_ticket_sale(self.database, order.order_id))
        self.counts_due.append(lambda: count_discount_use(self.database, order.order_id))
        self.arrived.add(number)

    @precondition(lambda self: self.counts_due)
    @rule(which=ANY, again=st.booleans())
    def count_goes_on(self, which: int, again: bool) -> None:
        number = which % len(self.counts_due)
        count = self.counts_due[number] if again else self.counts_due.pop(number)
        note(str(count()))

    @precondition(lambda self: self._sessions(status="complete"))
    @rule(
        which=RECENT,
        event_type=st.sampled_from(["checkout.session.expired", "checkout.session.async_payment_failed"]),
    )
    def an_event_contradicts(self, which: int, event_type: str) -> None:
        """Nobody knows why such an event arrives; but no ticket that was paid may be lost by it."""
        session = _pick(self._sessions(status="complete"), which) | {"payment_status": "unpaid"}
        result = run_workflow(self.database, envelope(event_type, copy.deepcopy(session)))
        note(f"{event_type} -> {result}")

    @rule(happens=st.sampled_from(["time", "time", "time", "reconciliation", "since a date", "dry run"]))
    def something_rare(self, happens: str) -> None:
        if happens == "time":
            self._let_time_pass()
        since = datetime(2020, 1, 1) if happens == "since a date" else None  # noqa: DTZ001 -- UTC
        self._reconcile(since=since, dry_run=happens == "dry run")

    # --- What must be true -------------------------------------------------------------------------------------------

    @invariant()
    def seats_are_what_the_orders_say(self) -> None:
        ticket = self._one("SELECT sold_quantity AS sold, held_quantity AS held FROM tickets")
        orders = self._orders()
        assert ticket["sold"] + ticket["held"] <= SEATS
        assert ticket["sold"] == sum(o["quantity"] for o in orders if _stands(o, "ticket"))
        assert ticket["held"] == sum(o["held_quantity"] for o in orders)

    @invariant()
    def uses_are_what_the_orders_say(self) -> None:
        orders = self._orders()
        for code in self._all("SELECT id, used_count, held_count FROM discount_codes"):
            mine = [o for o in orders if o["discount_code_id"] == code["id"]]
            assert code["used_count"] + code["held_count"] <= USES
            assert code["used_count"] == sum(_stands(o, "discount") for o in mine)
            assert code["held_count"] == sum(o["code_held"] for o in mine)

    @invariant()
    def orders_hold_what_their_state_calls_for(self) -> None:
        for order in self._orders():
            counted = order["ticket_counted_at"] is not None
            waits = order["status"] in {"pending", "processing"} or (order["status"] == "paid" and not counted)
            assert order["held_quantity"] == (order["quantity"] if waits else 0), order
            if not waits:
                assert order["code_held"] == 0 or order["status"] == "paid", order
            assert (order["ticket_returned_at"] is not None) == (order["status"] == "refunded" and counted), order
            assert order["refunded_amount"] >= 0, order

    def teardown(self) -> None:
        """All that is on its way arrives; then orders and money must agree."""
        for session in self._awaited():
            self.stripe.settle(session, succeeded=True)
        while len(self.arrived) < len(self.stripe.events):
            self.oldest_event_arrives()
        while self.counts_due:
            self.count_goes_on(0, again=False)
        for _ in range(2):
            self._let_time_pass()
            self._reconcile()
        while len(self.arrived) < len(self.stripe.events):
            self.oldest_event_arrives()
        self.seats_are_what_the_orders_say()
        self.uses_are_what_the_orders_say()
        self.orders_hold_what_their_state_calls_for()
        assert self._reconcile().rows == []
        for order in self._orders():
            self._check_against_stripe(order)
            self._check_the_books(order)
        self._nothing_invites_to_pay_twice()

    def _check_the_books(self, order: Row) -> None:
        """Now that all is known, what went back of each payment is what Stripe says, and so is each dispute."""
        payments = self._all("SELECT payment_key, refunded_minor FROM order_payments WHERE order_id = %s", order["id"])
        for payment in payments:
            charge = self.stripe.charges.get(payment["payment_key"])
            assert payment["refunded_minor"] == (0 if charge is None else self.stripe.gone(charge)), (payment, charge)
        assert order["refunded_amount"] <= order["total_amount"], order
        own = self.stripe.charges.get(order["stripe_payment_intent_id"] or "")
        if own is not None:
            assert order["refunded_amount"] * 100 == self.stripe.gone(own), (order, own)
        for dispute in self._all("SELECT * FROM order_disputes WHERE order_id = %s", order["id"]):
            said = self.stripe.disputes[dispute["stripe_dispute_id"]]["status"]
            assert dispute["status"] == said, dispute
            assert bool(dispute["is_open"]) == (said in {"needs_response", "warning_needs_response"}), dispute

    def _nothing_invites_to_pay_twice(self) -> None:
        """Each event once more, now that all is known: whoever is told to refund finds money that may go back."""
        for event in self.stripe.events:
            told: list[Alert] = []
            failed: list[str] = []
            run_workflow(self.database, event, find_session=self.stripe.of_payment, told=told, failed=failed)
            for text in [*(str(alert.what_to_do) for alert in told), *failed]:
                for key in re.findall(r"cachao refund \d+ --payment (\w+)", text):
                    charge = self.stripe.charges[key]
                    assert self.stripe.gone(charge) < charge["amount"], (text, charge)
                    held = [d for d in self._disputes("needs_response") if d["payment_intent"] == key]
                    assert not held, (text, held)

    def _check_against_stripe(self, order: Row) -> None:
        sessions = [s for s in self.stripe.sessions.values() if s["metadata"]["order_id"] == str(order["id"])]
        standing = [s for s in sessions if self.stripe.stands(s)]
        assert order["status"] not in {"pending", "processing"}, (order, sessions)
        if order["status"] == "paid":
            assert standing, (order, sessions)
            assert order["ticket_counted_at"] is not None, order
            return
        payments = self._all("SELECT payment_key, role FROM order_payments WHERE order_id = %s", order["id"])
        # Money without a ticket: somebody was told to give it back, or a refund of it failed, or it was paid in a
        # session that is not the order's, which is an alert each time.
        told = {payment["payment_key"] for payment in payments if payment["role"] in {"sold_out", "closed_order"}}
        paying = {payment["payment_key"] for payment in payments if payment["role"] in {"accepted", "duplicate"}}
        intents = {session["payment_intent"] for session in sessions}
        refunds = [refund for refund in self.stripe.refunds.values() if refund["payment_intent"] in intents]
        if any(refund["status"] == "failed" for refund in refunds):
            return
        # Or a dispute was lost, which ended the order, and won after all.
        if any(dispute["payment_intent"] in intents for dispute in self._disputes("won")):
            return
        for session in standing:
            key = session["payment_intent"] or session["id"]
            other = session["id"] != order["stripe_checkout_session_id"] and key not in paying
            assert key in told or other, (order, session, payments)

    # --- Small things ------------------------------------------------------------------------------------------------

    def _let_time_pass(self) -> None:
        """Every hold is over, and every session's time."""
        self._change(
            "UPDATE ticket_orders SET hold_expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"
            " WHERE hold_expires_at IS NOT NULL"
        )
        self._change(
            "UPDATE ticket_orders SET next_check_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"
            " WHERE next_check_at IS NOT NULL"
        )
        for session in self.stripe.sessions.values():
            session["expires_at"] = min(session["expires_at"], session["created"])

    def _deliver(self, number: int) -> None:
        self.arrived.add(number)
        event = self.stripe.events[number]
        result = run_workflow(self.database, event, find_session=self.stripe.of_payment)
        note(f"{event['detail-type']} -> {result}")
        assert result not in {"DataInconsistent", "OrderNotFound", "AmountMismatch", "InvalidEvent"}, event

    def _reconcile(self, **options: Any) -> Report:
        bus = WorkflowBus(self.database, find_session=self.stripe.of_payment)
        report = reconcile(self.database, self.stripe, bus, Options(requests_per_second=1e6, **options))
        note(f"{[(row.order_id, row.finding, row.action) for row in report.rows]} {bus.results}")
        assert not {"DataInconsistent", "OrderNotFound", "AmountMismatch", "InvalidEvent"} & set(bus.results)
        assert "failed" not in {row.action for row in report.rows}, report.rows
        return report

    def _sessions(self, **fields: object) -> list[Session]:
        return [s for s in self.stripe.sessions.values() if all(s[name] == value for name, value in fields.items())]

    def _awaited(self) -> list[Session]:
        return self._sessions(status="complete", payment_status="unpaid", failed=False)

    def _refundable(self) -> list[Session]:
        charges = self.stripe.charges
        return [
            s
            for s in self.stripe.sessions.values()
            if (charge := charges.get(s["payment_intent"])) is not None
            and not charge["disputed"]
            and charge["amount_refunded"] < charge["amount"]
        ]

    def _refunds_pending(self) -> list[dict[str, Any]]:
        return [refund for refund in self.stripe.refunds.values() if refund["status"] == "pending"]

    def _disputes_open(self) -> list[dict[str, Any]]:
        return self._disputes("needs_response")

    def _disputes(self, *statuses: str) -> list[dict[str, Any]]:
        return [dispute for dispute in self.stripe.disputes.values() if dispute["status"] in statuses]

    def _payments_reported(self) -> list[int]:
        return [
            number
            for number, event in enumerate(self.stripe.events)
            if event["detail-type"].startswith("checkout.session.")
            and event["detail"]["data"]["object"]["payment_status"] != "unpaid"
        ]

    def _orders(self) -> list[Row]:
        return self._all("SELECT * FROM ticket_orders ORDER BY id")

    def _all(self, sql: str, *parameters: object) -> list[Row]:
        with self.database.transaction() as tx:
            return tx.all(sql, *parameters)

    def _one(self, sql: str) -> Row:
        return self._all(sql)[0]

    def _change(self, sql: str, *parameters: object) -> None:
        with self.database.transaction() as tx:
            tx.change(sql, *parameters)


def _pick(choices: list[Any], which: int) -> Any:
    """One of them, counted from the newest."""
    return choices[-1 - which % len(choices)]


def _stands(order: Row, what: str) -> bool:
    return order[f"{what}_counted_at"] is not None and order[f"{what}_returned_at"] is None


# Half a minute in full; a failure is then made smaller, for which Hypothesis takes five minutes at most.
@pytest.mark.timeout(600)
def test_any_interleaving_keeps_the_counts_right(database: Database) -> None:
    chosen = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**9))
    try:
        run_state_machine_as_test(
            seed(chosen)(functools.partial(Shop, database)),  # type: ignore[arg-type]  # made anew for each run of steps
            settings=settings(
                max_examples=size(16, 80),
                stateful_step_count=50,
                deadline=None,
                # Failures kept from other runs would come first: the seed alone has to say what happens.
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
    except BaseException as error:
        file = Path(__file__).relative_to(ROOT)
        error.add_note(f"To repeat this run: {SEED}={chosen} .venv/bin/python -m pytest {file}")
        raise
