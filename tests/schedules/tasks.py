"""The tasks that meet: each a function of the shop, called as its handler calls it, and tried again as AWS does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import read_as
from tests.handlers.workflow.workflow_by_hand import WorkflowBus
from tests.schedules.gates import Slot
from tests.schedules.stripe import GatedStripe, MakesRefunds, told
from tests.schedules.worlds import BUYER, ORDER, OTHER_ORDER, SESSION, TOKEN, World
from ticketing.checkout.checkout import check_out
from ticketing.checkout.errors import CheckoutRefused
from ticketing.checkout.leaving import leave_checkout
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms
from ticketing.corrections.frame import ANY_STATE, correct
from ticketing.corrections.move import Move
from ticketing.database import Database
from ticketing.errors import DatabaseUnavailable, PermanentError
from ticketing.orders import history
from ticketing.payments.accept import mark_order_paid
from ticketing.payments.counts import count_discount_use, count_ticket_sale
from ticketing.payments.disputes import record_dispute
from ticketing.payments.issue_refund import refund_payment
from ticketing.payments.lookup import FoundOrder, look_up_order
from ticketing.payments.refunds import record_refund
from ticketing.payments.release import mark_order_processing, release_order
from ticketing.reconciliation.due_orders import Cursor, read_page
from ticketing.reconciliation.ended_orders import settle_ended
from ticketing.reconciliation.findings import finding_of
from ticketing.reconciliation.repair import Answer, Repair
from ticketing.reconciliation.session_search import RateLimitedSessions
from ticketing.reconciliation.uncounted_orders import settle_uncounted
from ticketing.stripe.events import ChargeEvent, DisputeEvent, RefundEvent, SessionEvent
from ticketing.stripe.rate_limit import RateLimiter

TERMS = CheckoutTerms(currency="eur", hold_seconds=1800, lock_seconds=32, delayed_method_days=7)
_TRIES = 6


@dataclass
class Shop:
    """What a task works on in one schedule."""

    world: World
    stripe: GatedStripe
    database: Database


Task = Callable[[Shop], str]


def run_task(name: str, world: World, stripe: GatedStripe, slot: Slot) -> str:
    """Run a task, again where the database was away; gives what came of it."""
    history.written_by(f"arn:aws:states:eu-west-1:1:execution:TicketPayment:{name}-{slot.number}")
    shop = Shop(world, stripe, slot.database)
    for tries_left in reversed(range(_TRIES)):
        try:
            return TASKS[name](shop)
        except DatabaseUnavailable:
            if not tries_left:
                raise
        except CheckoutRefused:
            return "refused"  # of two reasons the buyer is told one
        except PermanentError as error:
            return type(error).__name__
    raise AssertionError("unreachable")


def _checkout(shop: Shop, **fields: Any) -> str:
    request: dict[str, Any] = {
        "event_id": 1, "ticket_id": 1, "quantity": 1, "email": "other@example.com", "origin": "https://shop.example",
        "discount_code": "HALF", **fields,
    }  # fmt: skip
    reply = check_out(shop.database, shop.stripe, CheckoutRequest(**request), TERMS)
    return f"order {reply.order_id if int(reply.order_id) <= OTHER_ORDER else 'new'}"


def _checkout_dear(shop: Shop) -> str:
    return _checkout(shop, discount_code=None)


def _checkout_two(shop: Shop) -> str:
    return _checkout(shop, ticket_id=2)


def _click(shop: Shop) -> str:
    return _checkout(shop, idempotency_key="double click")


def _back(shop: Shop) -> str:
    return _checkout(shop, cognito_sub=BUYER, email="buyer@example.com", discount_code=None)


def _back_same(shop: Shop) -> str:
    return _checkout(shop, cognito_sub=BUYER, email="buyer@example.com")


def _pays(shop: Shop) -> str:
    if not shop.stripe.pays(SESSION):
        return "could not pay"
    session = shop.stripe.sessions[SESSION]
    event = read_as(SessionEvent, told("checkout.session.completed", session))
    return mark_order_paid(shop.database, ORDER, event).status


def _look_up(name: str) -> Task:
    def task(shop: Shop) -> str:
        found = look_up_order(shop.database, shop.world.events[name], find_session=shop.stripe.of_payment)
        return type(found).__name__

    return task


def _completed(shop: Shop) -> str:
    """The first two steps of the workflow."""
    event = shop.world.events["payment"]
    assert isinstance(event, SessionEvent)
    found = look_up_order(shop.database, event)
    assert isinstance(found, FoundOrder)
    return mark_order_paid(shop.database, found.order_id, event).status


def _accept(name: str) -> Task:
    def task(shop: Shop) -> str:
        event = shop.world.events[name]
        assert isinstance(event, SessionEvent)
        return mark_order_paid(shop.database, ORDER, event).status

    return task


def _refund(name: str) -> Task:
    def task(shop: Shop) -> str:
        event = shop.world.events[name]
        assert isinstance(event, ChargeEvent | RefundEvent)
        return record_refund(shop.database, ORDER, event).status

    return task


def _dispute(shop: Shop) -> str:
    event = shop.world.events["dispute"]
    assert isinstance(event, DisputeEvent)
    return record_dispute(shop.database, ORDER, event).status


def _count_seats(shop: Shop) -> str:
    return count_ticket_sale(shop.database, ORDER).result


def _count_use(shop: Shop) -> str:
    return count_discount_use(shop.database, ORDER).result


def _expired(shop: Shop) -> str:
    return release_order(shop.database, ORDER, lost_as="expired", stripe_event_id="evt_expired").status


def _failed(shop: Shop) -> str:
    return release_order(shop.database, ORDER, lost_as="failed", stripe_event_id="evt_failed").status


def _processing(shop: Shop) -> str:
    return mark_order_processing(shop.database, ORDER, stripe_event_id="evt_processing").status


def _leave(shop: Shop) -> str:
    left = leave_checkout(shop.database, lambda: shop.stripe, TOKEN)
    return "nothing" if left is None else f"paid: {left.is_paid}"


def _move(shop: Shop) -> str:
    return _moved(shop, ORDER, 2)


def _move_other(shop: Shop) -> str:
    return _moved(shop, OTHER_ORDER, 1)


def _moved(shop: Shop, order_id: int, ticket_id: int) -> str:
    report = correct(shop.database, order_id, Move(ticket_id=ticket_id), by="operator", seen=ANY_STATE)
    return "moved" if report.done else report.already or report.refused


def _give_money_back(shop: Shop) -> str:
    payment = shop.world.events["payment"].payment_key
    refunds = MakesRefunds(shop.stripe)
    return refund_payment(shop.database, refunds, ORDER, payment_key=payment, accepted_too=True).status


def _give_duplicate_back(shop: Shop) -> str:
    return refund_payment(shop.database, MakesRefunds(shop.stripe), ORDER, event_id="evt_second").status


def _sweep(shop: Shop) -> str:
    """Reconciliation's way with one order whose time is over."""
    now = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    due, _ = read_page(shop.database, Cursor(now=now), since=None, size=10)
    for order in due:
        if order.order_id != ORDER or order.session_id is None:
            continue
        session = shop.stripe.retrieve(order.session_id)
        finding = finding_of(session)
        # What it sends starts an execution: another task.
        bus = WorkflowBus(shop.database, at_once=False)
        repair = Repair(shop.database, bus, now=now, dry_run=False, close_missing=False)
        if finding == "open" and repair.is_over(order, session) and not shop.stripe.expire(order.session_id):
            session = shop.stripe.retrieve(order.session_id)
            finding = finding_of(session)
        answer = Answer(order=order, finding=finding, session_id=order.session_id, session=session)
        return ", ".join(item.action for item in repair.settle([answer]))
    return "nothing due"


def _uncounted(shop: Shop) -> str:
    return ", ".join(item.action for item in settle_uncounted(shop.database, dry_run=False))


def _ended(shop: Shop) -> str:
    sessions = RateLimitedSessions(shop.stripe, RateLimiter(1e6))
    return ", ".join(item.action for item in settle_ended(shop.database, sessions, dry_run=False))


TASKS: dict[str, Task] = {
    "checkout": _checkout,
    "checkout_dear": _checkout_dear,
    "checkout_two": _checkout_two,
    "click": _click,
    "back": _back,
    "back_same": _back_same,
    "pays": _pays,
    "look_up": _look_up("payment"),
    "look_up_second": _look_up("second"),
    "look_up_refund": _look_up("refund"),
    "look_up_refund_second": _look_up("refund_second"),
    "completed": _completed,
    "payment": _accept("payment"),
    "second": _accept("second"),
    "count_seats": _count_seats,
    "count_use": _count_use,
    "expired": _expired,
    "failed": _failed,
    "processing": _processing,
    "refund": _refund("refund"),
    "charge": _refund("charge"),
    "refund_a": _refund("refund_a"),
    "refund_b": _refund("refund_b"),
    "refund_c": _refund("refund_c"),
    "refund_d": _refund("refund_d"),
    "refund_second": _refund("refund_second"),
    "refund_a_second": _refund("refund_a_second"),
    "dispute": _dispute,
    "leave": _leave,
    "move": _move,
    "move_other": _move_other,
    "give_money_back": _give_money_back,
    "give_duplicate_back": _give_duplicate_back,
    "sweep": _sweep,
    "uncounted": _uncounted,
    "ended": _ended,
}
# What says of Stripe how much of which payment went back: refunds by id, a charge's sum, a lost dispute.
FACTS = frozenset(
    {"refund", "charge", "refund_a", "refund_b", "refund_c", "refund_d", "refund_second", "refund_a_second", "dispute"}
)
# Makes something anew each time, so a repeat of it is another wish.
NOT_REPEATED = frozenset({"checkout", "checkout_dear", "checkout_two", "click", "back", "back_same"})
