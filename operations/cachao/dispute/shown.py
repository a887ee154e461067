"""A dispute in tables: what it is, what the shop knows of its order, and the evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.console import RenderableType

from cachao.view.output import coloured, escape, moment, pluralize, table
from ticketing import money
from ticketing.corrections.dispute.answer import DisputeReport
from ticketing.corrections.dispute.facts import Facts
from ticketing.stripe.disputes import StripeDispute
from ticketing.stripe.states import AWAITS_ANSWER

_LONGEST_SHOWN: Final = 200


def render(report: DisputeReport) -> list[RenderableType]:
    """Show a dispute that was found."""
    dispute, known = report.dispute, report.facts
    if dispute is None or known is None:
        return []
    rows = [
        ("amount", money.format_amount(dispute.amount_minor, dispute.currency)),
        ("reason", escape(dispute.reason)),
        ("status", escape(dispute.status)),
        ("answer by (UTC)", deadline(dispute)),
        ("payment", escape(dispute.payment_intent_id)),
        ("order", f"{known.order_id} ({coloured(known.order_status)}): {pluralize(known.quantity, 'seat')}"),
        ("ticket", escape(f"{known.ticket}, {known.event}")),
        ("event begins", escape(known.event_starts)),
        ("ordered (UTC)", escape(known.ordered_at)),
        ("paid (UTC)", escape(known.paid_at)),
        ("shown at the door", escape(f"{known.shown_at} UTC" if known.shown_at else "no")),
        ("the buyer besides", _others(known)),
        ("if it is lost", escape(report.consequence)),
    ]
    shown: list[RenderableType] = [table(f"Dispute {dispute.dispute_id}", "", "", rows=rows)]
    if dispute.evidence or report.given:
        shown.append(_evidence(dispute.evidence, {} if report.done else report.given))
    return [*shown, *(escape(f"Note: {note}") for note in report.notes if not report.done)]


def deadline(dispute: StripeDispute) -> str:
    """Say until when it is to be answered."""
    if dispute.due_by == 0:
        return "the bank takes no answer"
    if dispute.due_by is None:
        return "not known"
    due = datetime.fromtimestamp(dispute.due_by, UTC)
    if dispute.status not in AWAITS_ANSWER:
        late = ", after the deadline" if dispute.past_due else ""
        return f"{moment(due)}{f' (answered{late})' if dispute.submission_count else ''}"
    return f"[red]{moment(due)}, past[/red]" if due < datetime.now(UTC) else moment(due)


def _others(known: Facts) -> str:
    if not known.others:
        return "no other orders"
    return (
        f"{pluralize(known.others, 'other order')}: {known.others_paid} paid, {known.others_shown} shown at a door,"
        f" {known.others_disputed} disputed"
    )


def _evidence(staged: dict[str, str], given: dict[str, str]) -> RenderableType:
    rows = []
    for name, text in sorted((staged | given).items()):
        where = "at Stripe" if name not in given else "replaces another" if name in staged else "new"
        cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text)} characters)"
        rows.append([name, where, escape(cut)])
    return table("Evidence", "field", "", "says", rows=rows)
