"""Shows a dispute as Stripe and the shop know it, and answers it: evidence staged or submitted, or acceptance.

Stripe's state of the dispute decides what is still to be done; so a repeat does nothing more. What is final is written
down before Stripe is asked (`ticketing.orders.corrections.begin`): whatever dies in between, the same command continues
and writes down what came of it. The order itself is changed by the dispute's event, as by any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ticketing import money
from ticketing.corrections.dispute import evidence, facts
from ticketing.corrections.dispute.facts import Facts
from ticketing.corrections.dispute.find import Disputes, find
from ticketing.corrections.refusal import CorrectionRefused
from ticketing.database import Database, Transaction
from ticketing.operators.inspection import InspectedOrder
from ticketing.orders import corrections
from ticketing.orders.corrections import Change, Ordered
from ticketing.orders.lock import lock_order
from ticketing.payments import standing
from ticketing.payments.standing import LedgerDispute
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.disputes import StripeDispute
from ticketing.stripe.states import AWAITS_ANSWER, OPEN_PHASES, DisputePhase, phase_of

Action = Literal["show", "stage", "submit", "accept"]

_KIND: Final = "dispute"
_ENTRIES: Final[dict[Action, str]] = {
    "stage": "dispute_evidence_staged",
    "submit": "dispute_answered",
    "accept": "dispute_accepted",
}
_PAGES: Final = "dispute_evidence_page_limit_exceeded"


class Wish(msgspec.Struct, kw_only=True):
    """What an operator wants of a dispute.

    Attributes:
        wanted: which: du_…, dp_…, ch_…, py_…, pi_…, or an order's number.
        action: `show` changes nothing; `submit` and `accept` are final.
        evidence: by Stripe's fields; a file's value is its id, in a preview whatever names it.
        from_order: also what the shop can say by itself; what is given in words goes before it.
        seen: do it, where the dispute is still as it was shown then; None: only show what would be done.
    """

    wanted: str
    action: Action = "show"
    evidence: dict[str, str] = {}
    from_order: bool = False
    seen: str | None = None
    by: str = ""
    reason: str | None = None


class DisputeReport(msgspec.Struct, kw_only=True):
    """A dispute, and what is or was done about it.

    Attributes:
        dispute: as Stripe has it now; `facts`: what the shop knows; `corrections`: what operators did about it before.
        given: the evidence that is, or was, put on it.
        consequence: what becomes of order and seats if it is accepted or lost.
        refused, advice: why nothing can be done, and what to do instead.
        already: a sentence where there is nothing to do.
        moved_on: it is another one than was seen; nothing was done.
        begun: it was done, and is not written down yet; that is done with `seen`.
        done: it was done. `notes`: what to know besides.
        seen: names its state.
    """

    dispute: StripeDispute | None = None
    facts: Facts | None = None
    given: dict[str, str] = {}
    consequence: str = ""
    refused: str = ""
    advice: str = ""
    already: str = ""
    moved_on: bool = False
    begun: bool = False
    done: bool = False
    notes: list[str] = []
    seen: str = ""
    correction_id: int | None = None


def answer(database: Database, stripe: Disputes, wish: Wish) -> DisputeReport:
    """Show a dispute and what would be done about it; with `seen` do it.

    Raises:
        StripeUnavailable: nobody knows; the same wish continues where it stopped.
        ConfigurationError: the API key is wrong, or may not do this.
        DatabaseUnavailable: the same wish continues where it stopped.
    """
    try:
        dispute, order = find(database, stripe, wish.wanted)
    except CorrectionRefused as refusal:
        return DisputeReport(refused=refusal.sentence, advice=refusal.advice)
    with database.transaction() as tx:
        known, email = facts.read(tx, order.order["id"])
    report = DisputeReport(
        dispute=dispute, facts=known, consequence=_consequence(dispute, order), seen=dispute.fingerprint
    )
    try:
        _answer(database, stripe, wish, report, email)
    except CorrectionRefused as refusal:
        report.refused, report.advice = refusal.sentence, refusal.advice
    return report


def _answer(database: Database, stripe: Disputes, wish: Wish, report: DisputeReport, email: str | None) -> None:
    dispute, known = report.dispute, report.facts
    if dispute is None or known is None or wish.action == "show":
        return
    said = evidence.of_the_shop(known, email) if wish.from_order else {}
    given = {name: text for name, text in (said | wish.evidence).items() if dispute.evidence.get(name) != text}
    evidence.check(dispute.evidence, given)
    report.given = given
    report.already = _already(dispute, wish.action, given)
    if report.already:
        if wish.action != "stage":
            _write_down_what_was_begun(database, report, dispute, wish)
        return
    _check(dispute, wish, known.order_id, given)
    report.notes = _notes(dispute, wish.action)
    if wish.seen is None:
        return
    if wish.seen != dispute.fingerprint:
        report.moved_on = True
        return
    _act(database, stripe, wish, report, dispute)


# --- What it is about ------------------------------------------------------------------------------------------------


def _consequence(dispute: StripeDispute, inspected: InspectedOrder) -> str:
    """Say what becomes of order and seats when the dispute is lost."""
    order = inspected.order
    payments = standing.payments_in(inspected.payments)
    payment = next((known for known in payments if known.payment_key == dispute.payment_intent_id), None)
    of_order = f"order {order['id']} ({order['status']})"
    if payment is None or not standing.pays(order, payment, payments):
        return f"The payment does not pay {of_order}, which stays as it is."
    lost = standing.lost_amount(paid=payment.amount_minor, currency=payment.currency, disputes=[_as_lost(dispute)])
    amount = money.format_amount(dispute.amount_minor, dispute.currency)
    if payment.amount_minor and lost < payment.left_minor:
        return f"The buyer keeps {amount}, a part of the payment; order {order['id']} stays paid, and keeps its seats."
    seats = f"{order['quantity']} seat{'' if order['quantity'] == 1 else 's'}"
    return (
        f"The buyer keeps {amount}; order {order['id']} ends as refunded, its {seats} go back on sale, and the ticket"
        " is not valid any more."
    )


def _as_lost(dispute: StripeDispute) -> LedgerDispute:
    return LedgerDispute(
        stripe_dispute_id=dispute.dispute_id,
        payment_key=dispute.payment_intent_id or "",
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        status="lost",
        phase=DisputePhase.LOST,
    )


def _already(dispute: StripeDispute, action: Action, given: dict[str, str]) -> str:
    """Say that there is nothing to do; empty where there is."""
    if action == "accept" and dispute.status == "lost":
        return f"Dispute {dispute.dispute_id} is lost already: nothing is to be accepted."
    # Whether a file is the one that was sent nobody knows before it is uploaded.
    new = {name for name in given if name not in evidence.FILE_FIELDS or name not in dispute.evidence}
    if action == "submit" and dispute.submission_count and not new:
        return f"Dispute {dispute.dispute_id} was answered already ({dispute.status})."
    if action == "stage" and not given and dispute.status in AWAITS_ANSWER:
        return f"Dispute {dispute.dispute_id} has all of that already."
    return ""


def _check(dispute: StripeDispute, wish: Wish, order_id: int, given: dict[str, str]) -> None:
    """See to it that Stripe can do it.

    Raises:
        CorrectionRefused: it cannot.
    """
    name, status = dispute.dispute_id, dispute.status
    if status not in AWAITS_ANSWER:
        answered = phase_of(status, "") in OPEN_PHASES
        why = "was answered, and a bank takes one answer" if answered else "is decided"
        raise CorrectionRefused(f"Dispute {name} {why} ({status}).", advice=f"Look: cachao dispute {name}")
    is_inquiry = phase_of(status, "") is DisputePhase.INQUIRY
    if wish.action == "accept" and is_inquiry:
        raise CorrectionRefused(
            f"{name} is an inquiry: the money is still with the shop, and there is nothing to accept.",
            advice=f"A refund settles it: cachao refund {order_id} --payment {dispute.payment_intent_id}"
            " --although-disputed (and --end-order where it pays the order).",
        )
    if wish.action == "accept":
        return
    if dispute.due_by == 0:
        raise CorrectionRefused(
            f"The bank takes no answer to dispute {name}.", advice=f"cachao dispute {name} --accept closes it."
        )
    if wish.action == "submit" and not (given or dispute.evidence):
        raise CorrectionRefused(
            f"There is no evidence in dispute {name}, and an answer without any is lost.",
            advice="--from-order says what the shop knows; --evidence FILE and --text add to it. Nothing to say:"
            " --accept.",
        )


def _notes(dispute: StripeDispute, action: Action) -> list[str]:
    notes = []
    if action == "submit":
        notes = ["A bank takes one answer: what is submitted cannot be changed or taken back."]
    elif action == "accept":
        notes = ["This is final. Refund nothing besides: the buyer has the money."]
    if action != "accept" and dispute.due_by and dispute.due_by < time.time():
        notes.append("The deadline is over: the bank need not look at it any more.")
    return notes


# --- Doing it --------------------------------------------------------------------------------------------------------


def _act(database: Database, stripe: Disputes, wish: Wish, report: DisputeReport, dispute: StripeDispute) -> None:
    order_id = _order_id(report)
    ordered = Ordered(
        kind=_KIND,
        request=_request(dispute, wish.action, report.given),
        entry=_ENTRIES[wish.action],
        by=wish.by,
        reason=wish.reason,
        payment_key=dispute.payment_intent_id,
        amount_minor=dispute.amount_minor,
    )
    begun = None if wish.action == "stage" else _begin(database, order_id, ordered)

    def give_up(tx: Transaction) -> None:
        if begun is not None:
            corrections.give_up(tx, begun)

    after = _asked(
        database,
        give_up,
        lambda: (
            stripe.accept(dispute)
            if wish.action == "accept"
            else stripe.give(dispute, report.given, submit=wish.action == "submit")
        ),
    )
    changes = _changes(dispute, after, report.given)
    with database.transaction() as tx:
        lock_order(tx, order_id, "id", gone=f"Order {order_id} is gone.")
        if begun is None:
            report.correction_id = corrections.keep(tx, order_id, ordered, changes)
        else:
            report.correction_id = begun
            corrections.finish(tx, order_id, begun, ordered, changes)
    report.dispute, report.done = after, True


def _asked(
    database: Database, give_up: Callable[[Transaction], None], ask: Callable[[], StripeDispute]
) -> StripeDispute:
    """Ask Stripe; what it refuses is written down as refused.

    Raises:
        CorrectionRefused: Stripe said no.
        StripeUnavailable: nobody knows.
    """
    try:
        return ask()
    except StripeRefused as refusal:
        with database.transaction() as tx:
            give_up(tx)
        advice = "Banks limit the pages: fewer or shorter files and texts." if refusal.code == _PAGES else ""
        raise CorrectionRefused(str(refusal), advice=advice) from None


def _begin(database: Database, order_id: int, ordered: Ordered) -> int:
    with database.transaction() as tx:
        lock_order(tx, order_id, "id", gone=f"Order {order_id} is gone.")
        begun = corrections.under_way(tx, order_id)
        if begun is None:
            return corrections.begin(tx, order_id, ordered)
        if begun["request"] != ordered.request:
            raise CorrectionRefused(
                f"Something else is under way with order {order_id} (correction {begun['id']}).",
                advice=f"Let it end first: cachao {begun['request']}",
            )
        return int(begun["id"])


def _write_down_what_was_begun(database: Database, report: DisputeReport, dispute: StripeDispute, wish: Wish) -> None:
    """Finish a correction that was cut off between Stripe's answer and the books."""
    order_id = _order_id(report)
    with database.transaction() as tx:
        lock_order(tx, order_id, "id", gone=f"Order {order_id} is gone.")
        begun = corrections.under_way(tx, order_id)
        if begun is None or begun["request"] != _request(dispute, wish.action, {}):
            return
        report.begun, report.correction_id = True, int(begun["id"])
        if wish.seen is None:
            return
        ordered = Ordered(
            kind=_KIND,
            request=begun["request"],
            entry=_ENTRIES[wish.action],
            by=begun["corrected_by"],
            reason=begun["reason"],
            payment_key=begun["payment_key"],
            amount_minor=begun["amount_minor"],
        )
        corrections.finish(tx, order_id, begun["id"], ordered, [])
        report.done = True


def _order_id(report: DisputeReport) -> int:
    return 0 if report.facts is None else report.facts.order_id


def _request(dispute: StripeDispute, action: Action, given: dict[str, str]) -> str:
    """Give the words of the command; what is said to the bank is not kept."""
    begins = f"dispute {dispute.dispute_id}"
    if action != "stage":
        return f"{begins} --{action}"
    return f"{begins} --evidence {' '.join(sorted(given))}"[:255]


def _changes(before: StripeDispute, after: StripeDispute, given: dict[str, str]) -> list[Change]:
    of = f"dispute {before.dispute_id}"
    changes = [
        Change(of=of, what=name, before="(there)" if name in before.evidence else "-", after="(given)")
        for name in sorted(given)
    ]
    if before.status != after.status:
        changes.append(Change(of=of, what="status", before=before.status, after=after.status))
    return changes
