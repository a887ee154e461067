"""What a line is called, where a whole shop at the stand-in does not come to: pure, line by line."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ticketing.books.compare import compare
from ticketing.books.fees import Fees
from ticketing.books.known import Known
from ticketing.books.lines import BookLine, Name
from ticketing.books.recorded import Place, RecordedItem, recorded
from ticketing.books.recorded import compare as compare_recorded
from ticketing.books.tally import Tally
from ticketing.database import Database, Row, Transaction
from ticketing.payments.standing import LedgerDispute, LedgerPayment
from ticketing.stripe.balance import BalanceLine, Movement, read_line
from ticketing.stripe.states import DisputePhase

NOW = int(time.time())
DAY = 86400


def line(**fields: Any) -> BalanceLine:
    """A charge of 40.00 EUR with its fee of 0.85, two days ago, of order 7."""
    given: dict[str, Any] = {
        "transaction_id": "txn_1",
        "kind": "charge",
        "category": "charge",
        "created": NOW - 2 * DAY,
        "amount_minor": 4000,
        "fee_minor": 85,
        "fees_minor": 85,
        "net_minor": 3915,
        "currency": "eur",
        "source": "charge",
        "source_id": "ch_1",
        "source_minor": 4000,
        "source_currency": "eur",
        "status": "succeeded",
        "payment_intent_id": "pi_1",
        "charge_id": "ch_1",
        "order_reference": "7",
        "order_mark": "mark",
    }
    return BalanceLine(**(given | fields))


def known(status: str = "paid", *, payment: LedgerPayment | None = None, intent: str | None = "pi_1") -> Known:
    books = Known(
        [
            {
                "id": 7,
                "event_id": 1,
                "ticket_id": 2,
                "stripe_checkout_session_id": "cs_1",
                "order_mark": "mark",
                "status": status,
                "quantity": 1,
                "total_amount": Decimal(40),
                "currency": "eur",
                "stripe_payment_intent_id": intent,
            }
        ]
    )
    if payment is not None:
        books.add_payment(7, payment, None)
    return books


def paid(**fields: Any) -> LedgerPayment:
    given: dict[str, Any] = {
        "payment_key": "pi_1",
        "stripe_payment_intent_id": "pi_1",
        "role": "accepted",
        "amount_minor": 4000,
        "currency": "eur",
        "refunded_minor": 0,
    }
    return LedgerPayment(**(given | fields))


def named(found: BalanceLine, books: Known, *, shared: bool = False) -> BookLine:
    return compare(found, books, now=NOW, shared=shared)


def test_a_payment_that_both_have_agrees() -> None:
    found = named(line(), known(payment=paid()))
    assert (found.name, found.order_id, found.difference_minor, found.what) == (Name.AGREES, 7, 0, "")


def test_an_order_that_somebody_marked_paid_has_its_payment_on_the_order_alone() -> None:
    assert named(line(), known()).name is Name.AGREES
    assert named(line(source_minor=4100, amount_minor=4100, net_minor=4015), known()).name is Name.AMOUNT_DIFFERS


@pytest.mark.parametrize(
    ("status", "says"),
    [("pending", "run: cachao mark-paid 7 --payment pi_1."), ("paid", "refund pi_1 in Stripe's dashboard.")],
)
def test_an_unknown_payment_is_found_by_its_session_however_old_it_is(status: str, says: str) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(NOW - 41 * DAY))
    found = named(line(created=NOW - 40 * DAY), known(status, intent=None))
    assert found.name is Name.PAYMENT_NOT_RECORDED
    assert (
        found.to_do
        == f"run: cachao reconcile --since {day}, which finds its Checkout Session. If it finds none, {says}"
    )


@pytest.mark.parametrize(
    ("age", "went_back", "says"),
    [
        (2, 1000, "which sends the lost event. If it finds none, run: stripe refunds retrieve re_1"),
        (40, 1000, "run: stripe refunds retrieve re_1 | cachao event - --as refund.created."),
        # Never where something of the payment is left: that would be refunded.
        (40, 4000, "run: cachao refund 7 --payment pi_1 --end-order. Nothing is left"),
    ],
)
def test_a_lost_refund_is_never_made_again(age: int, went_back: int, says: str) -> None:
    moved = {"category": "refund", "source": "refund", "source_id": "re_1", "amount_minor": -1000, "net_minor": -1085}
    back = {"source_minor": -1000, "charge_minor": 4000, "charge_refunded_minor": went_back}
    found = named(line(created=NOW - age * DAY, **moved, **back), known(payment=paid()))
    assert found.name is Name.DASHBOARD_REFUND_NOT_RECORDED
    assert says in found.to_do
    assert ("cachao refund" in found.to_do) is (went_back == 4000)


def test_what_has_just_moved_is_under_way() -> None:
    books = known("pending", intent=None)
    assert named(line(created=NOW - 60), books).name is Name.UNDER_WAY
    refund = {"category": "refund", "source": "refund", "source_id": "re_1", "amount_minor": -4000, "net_minor": -4085}
    fresh = named(line(created=NOW - 60, source_minor=-4000, **refund), known(payment=paid()))
    assert (fresh.name, fresh.is_fault) == (Name.UNDER_WAY, False)


def test_a_delayed_payment_waits_for_its_result() -> None:
    found = named(line(status="pending"), known("processing", intent=None))
    assert found.name is Name.UNDER_WAY


def test_a_delayed_payment_that_failed_after_all() -> None:
    back = {"category": "charge_failure", "amount_minor": -4000, "source_minor": -4000, "net_minor": -4085}
    assert named(line(**back), known(payment=paid())).name is Name.PAYMENT_FAILURE_NOT_RECORDED
    assert named(line(**back), known("failed", intent=None)).name is Name.AGREES


def test_a_payment_of_which_only_the_refund_is_recorded_is_not() -> None:
    early = paid(role="refunded_early", amount_minor=0, refunded_minor=4000)
    assert named(line(), known("pending", payment=early, intent=None)).name is Name.PAYMENT_NOT_RECORDED


@pytest.mark.parametrize(
    ("fields", "shared", "name"),
    [
        ({"order_reference": None, "order_mark": None}, False, Name.FOREIGN_PAYMENT),
        ({"order_reference": None, "order_mark": None}, True, Name.OTHER_APPLICATION),
        # A number alone names nothing: every shop has an order 7.
        ({"order_mark": None}, True, Name.OTHER_APPLICATION),
        ({"order_mark": "another"}, True, Name.PAYMENT_OF_UNKNOWN_ORDER),
        ({"order_reference": "8"}, True, Name.PAYMENT_OF_UNKNOWN_ORDER),
        ({"order_mark": None, "event_reference": "1", "ticket_reference": "9"}, True, Name.PAYMENT_OF_UNKNOWN_ORDER),
    ],
)
def test_what_is_not_ours_is_never_advised_to_be_refunded(fields: dict[str, Any], shared: bool, name: Name) -> None:
    found = named(line(payment_intent_id="pi_2", charge_id="ch_2", **fields), known(payment=paid()), shared=shared)
    assert (found.name, found.order_id, found.stripe_minor) == (name, None, 0)
    assert "cachao refund" not in found.to_do


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"net_minor": 4000}, "is not its amount without its fee"),
        ({"fees_minor": 80}, "the parts of it are 0.80 EUR"),
        ({"exchange_rate": "0.5", "source_currency": "usd"}, "exchange rate of 0.5"),
    ],
)
def test_a_line_that_does_not_add_up(fields: dict[str, Any], says: str) -> None:
    currency = fields.get("source_currency", "eur")
    found = named(line(**fields), known(payment=paid(currency=currency)))
    assert found.name is Name.LINE_DOES_NOT_ADD_UP
    assert says in found.what


def test_another_fault_of_such_a_line_keeps_its_name() -> None:
    found = named(line(net_minor=4000), known("pending", intent=None))
    assert found.name is Name.PAYMENT_NOT_RECORDED
    assert "without its fee" in found.what


@pytest.mark.parametrize(
    ("phase", "status", "at_stripe", "name"),
    [
        (DisputePhase.OPENED, "under_review", "under_review", Name.AGREES),
        (DisputePhase.INQUIRY, "warning_needs_response", "needs_response", Name.DISPUTE_NOT_RECORDED),
        (DisputePhase.LOST, "lost", "needs_response", Name.DISPUTE_DIFFERS),
        (DisputePhase.SETTLED, "prevented", "prevented", Name.AGREES),
        (DisputePhase.OPENED, "needs_response", "lost", Name.DISPUTE_LOST_NOT_RECORDED),
    ],
)
def test_how_a_dispute_stands(phase: DisputePhase, status: str, at_stripe: str, name: Name) -> None:
    books = known(payment=paid())
    books.disputes[7].append(
        LedgerDispute(
            stripe_dispute_id="dp_1", payment_key="pi_1", amount_minor=4000, currency="eur", status=status, phase=phase
        )
    )
    taken = {"category": "dispute", "source": "dispute", "source_id": "dp_1", "amount_minor": -4000}
    found = line(**taken, source_minor=-4000, net_minor=-4085, status=at_stripe)
    assert named(found, books).name is name
    books.disputes[7][0].amount_minor = 3000
    other = named(found, books)
    assert other.name is (name if name is not Name.AGREES else Name.DISPUTE_DIFFERS)


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("fee", Name.STRIPE_FEE),
        ("tax", Name.STRIPE_FEE),
        ("other_adjustment", Name.ADJUSTMENT),
        ("payout", Name.PAYOUT),
        ("payout_reversal", Name.PAYOUT_FAILED),
        ("risk_reserved_funds", Name.OTHER_MOVEMENT),
        ("whatever_stripe_invents", Name.OTHER_MOVEMENT),
    ],
)
def test_what_no_buyer_moved_has_a_name(category: str, name: Name) -> None:
    found = named(line(category=category, source="", source_id=None, payment_intent_id=None, charge_id=None), Known())
    assert (found.name, found.stripe_minor, found.books_minor) == (name, 0, 0)


def test_the_same_transaction_twice_counts_once_in_the_books() -> None:
    tally = Tally()
    for _ in range(2):
        tally.add(named(line(), known(payment=paid())))
    assert [found.name for found in tally.findings] == [Name.LINE_TWICE]
    assert [(sums.stripe_minor, sums.left_over_minor) for sums in tally.books] == [(4000, 0)]


def test_fees_are_compared_among_payments_of_a_kind_alone() -> None:
    fees = Fees()
    for fee, method, times in ((85, "card visa AT", 5), (140, "card visa US", 3), (90, "card visa AT", 2)):
        for _ in range(times):
            fees.add(
                named(line(fee_minor=fee, fees_minor=fee, net_minor=4000 - fee, method=method), known(payment=paid()))
            )
    [found] = fees.findings()
    assert (found.name, found.is_fault, found.amount_minor) == (Name.FEE_DIFFERS, False, 0)
    assert "0.90 EUR of 40.00 EUR paid by card visa AT, 2 times" in found.what


def test_what_is_kept_does_not_grow_with_the_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing.books.fees._MOST_KINDS", 3)
    fees = Fees()
    for amount in range(4000, 4005):
        fees.add(named(line(amount_minor=amount, source_minor=amount, net_minor=amount - 85), Known()))
    assert fees.not_compared == 2


def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """Every SELECT from now on."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    original = Transaction.all

    def keep(self: Transaction, sql: str, *parameters: object) -> list[Row]:
        asked.append((sql, parameters))
        return original(self, sql, *parameters)

    monkeypatch.setattr(Transaction, "all", keep)
    return asked


def item(**fields: Any) -> RecordedItem:
    given: dict[str, Any] = {
        "kind": "payment",
        "object_id": "pi_1",
        "payment_key": "pi_1",
        "order_id": 7,
        "amount_minor": 4000,
        "currency": "eur",
        "recorded_at": 1500,
    }
    return RecordedItem(**(given | fields))


@pytest.mark.parametrize(
    ("kind", "found", "name"),
    [
        ("payment", None, Name.PAYMENT_NOT_AT_STRIPE),
        ("payment", ("canceled", []), Name.PAYMENT_NOT_AT_STRIPE),
        ("payment", ("succeeded", [1500]), Name.PAYMENT_NOT_AT_STRIPE),
        # It moved before the span, or will have a line later.
        ("payment", ("succeeded", [900]), None),
        ("payment", ("succeeded", []), None),
        ("refund", ("failed", [1500]), Name.REFUND_FAILURE_NOT_RECORDED),
        ("refund", ("pending", []), None),
        ("dispute", ("won", []), Name.DISPUTE_DIFFERS),
        ("dispute", ("lost", [900]), None),
    ],
)
def test_what_the_books_have_and_no_line_was_about(kind: str, found: Any, name: Name | None) -> None:
    movement = None if found is None else Movement(object_id="x", status=found[0], moved_at=found[1])
    line = compare_recorded(item(kind=kind), movement, since=1000, until=2000)
    assert (None if line is None else line.name) == name


@pytest.mark.parametrize("kind", ["payment", "refund", "dispute"])
def test_what_was_recorded_is_read_page_by_page_by_an_index(
    database: Database, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO order_payments (order_id, payment_key, role, amount_minor, currency, created_at)"
            " SELECT seq, CONCAT('pi_', seq), 'accepted', 100, 'eur', '2026-01-01' + INTERVAL seq MINUTE"
            " FROM seq_1_to_2000"
        )
        tx.change(
            "INSERT INTO order_refunds (stripe_refund_id, order_id, payment_key, amount_minor, status, created_at)"
            " SELECT CONCAT('re_', seq), seq, CONCAT('pi_', seq), 100, 'succeeded', '2026-01-01' + INTERVAL seq MINUTE"
            " FROM seq_1_to_2000"
        )
        tx.change(
            "INSERT INTO order_disputes (stripe_dispute_id, order_id, payment_key, amount_minor, currency, status,"
            " phase, is_open, reported_at, created_at) SELECT CONCAT('dp_', seq), seq, CONCAT('pi_', seq), 100, 'eur',"
            " 'lost', 'lost', 0, '2026-01-01', '2026-01-01' + INTERVAL seq MINUTE FROM seq_1_to_2000"
        )
    since = 1767225600 + 60  # 2026-01-01 00:01 UTC
    place: Place | None = None
    seen: list[str] = []
    pages = 0
    asked = statements(monkeypatch)
    while True:
        page = recorded(database, kind, since, since + 100 * 60, after=place, limit=30)
        seen += [found.object_id for found in page.items]
        pages += 1
        if page.after is None:
            break
        # As it comes back from a command that had it as JSON.
        place = msgspec.convert(msgspec.to_builtins(page.after), Place)
    prefix = {"payment": "pi", "refund": "re", "dispute": "dp"}[kind]
    assert seen == [f"{prefix}_{number}" for number in range(1, 101)]
    assert pages == 4
    with database.transaction() as tx:
        [step, *_] = tx.all(f"EXPLAIN {asked[-1][0]}", *asked[-1][1])
    assert (step["type"], step["key"].endswith("_by_created_at")) == ("range", True)


def test_a_transaction_whose_source_is_gone_or_is_not_in_it_is_read_all_the_same() -> None:
    found = {
        "id": "txn_1",
        "type": "adjustment",
        "reporting_category": "other_adjustment",
        "created": 1,
        "amount": -5,
        "fee": 0,
        "net": -5,
        "currency": "EUR",
        "source": None,
        "exchange_rate": None,
        "fee_details": [],
        "description": "why",
    }
    read = read_line(found)
    assert (read.is_own, read.source, read.payment_key, read.description, read.currency) == (
        True,
        "",
        None,
        "why",
        "eur",
    )
    assert read_line({**found, "source": "ch_gone"}).source_id == "ch_gone"
