"""`cachao dispute`: a bank is answered without Stripe's dashboard, once, and in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.stripe_stand_in import PaymentSeed, StripeStandIn
from tests.factories import create_event, create_order, create_ticket, envelope, row_of
from tests.local.stripe_stand_in.support import client_of
from tests.operations.conftest import Cachao
from tests.operations.test_corrections import seeded
from tests.ticketing.paid_orders import pay, seats
from tests.workflow.conftest import Run
from ticketing.database import Database

PDF = b"%PDF-1.7\n"


@pytest.fixture
def disputed(database: Database, stripe_stand_in: StripeStandIn) -> dict[str, Any]:
    """The dispute of an order that is paid, by a buyer who has been here before."""
    event = create_event(database, name="Salsa Night", start_date="2026-12-28 20:00:00")
    ticket = create_ticket(database, event_id=event, name="Balcony", price=21)
    before = create_order(database, ticket_id=ticket, email="jenny@example.com", validated_at="2026-10-01 19:00:00")
    pay(database, before)
    order = create_order(database, ticket_id=ticket, quantity=2, email="Jenny@example.com")
    return open_dispute(database, stripe_stand_in, order)


def open_dispute(database: Database, stand_in: StripeStandIn, order: int, **fields: Any) -> dict[str, Any]:
    session = seeded(stand_in, database, order)
    payment = stand_in.session(session)["payment_intent"]
    pay(database, order, payment_intent=payment)
    return {**stand_in.open_dispute(payment, **fields), "order": order}


def at_stripe(stand_in: StripeStandIn, dispute: dict[str, Any]) -> Any:
    return client_of(stand_in).v1.disputes.retrieve(dispute["id"])


def file_of(folder: Path, name: str = "scan.pdf", content: bytes = PDF) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("by", ["id", "charge", "payment_intent", "order"])
def test_it_is_found_and_shown_with_what_the_shop_knows(cachao: Cachao, disputed: dict[str, Any], by: str) -> None:
    shown = cachao("dispute", disputed[by], json=True)
    assert shown.exit_code == 0, shown.notes
    assert (shown.data["dispute"]["dispute_id"], shown.data["done"]) == (disputed["id"], False)
    facts = shown.data["facts"]
    assert (facts["order_id"], facts["quantity"], facts["event_starts"]) == (disputed["order"], 2, "2026-12-28 20:00")
    assert (facts["others"], facts["others_paid"], facts["others_shown"], facts["others_disputed"]) == (1, 1, 1, 0)


def test_a_person_reads_all_of_it_but_the_address(cachao: Cachao, disputed: dict[str, Any]) -> None:
    text = cachao("dispute", disputed["id"]).text
    for part in (
        "42.00 EUR",
        "fraudulent",
        "needs_response",
        "Balcony, Salsa Night",
        "1 other order",
        "2 seats go back",
    ):
        assert part in " ".join(text.split())
    assert "jenny" not in text.lower()


def test_evidence_is_staged_then_submitted_once_and_kept_with_who_and_why(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, disputed: dict[str, Any], tmp_path: Path
) -> None:
    words = ["dispute", disputed["id"], "--from-order", "--evidence", f"service_documentation={file_of(tmp_path)}"]
    tried = cachao(*words, "--dry-run")
    assert (tried.exit_code, "jenny@example.com" in tried.text.lower(), "scan.pdf" in tried.text) == (0, True, True)
    assert cachao(*words).exit_code == 2
    assert at_stripe(stripe_stand_in, disputed).evidence_details.has_evidence is False
    staged = cachao(*words, "--text", "She danced.", "--yes", "--reason", "was there")
    assert (staged.exit_code, "the bank does not have it yet" in staged.text) == (0, True)
    now = at_stripe(stripe_stand_in, disputed)
    assert (now.status, now.evidence.service_date) == ("needs_response", "2026-12-28 20:00")
    assert now.evidence.product_description.startswith("2 tickets (Balcony) for the event Salsa Night, 42.00 EUR")
    assert "1 other orders" in now.evidence.access_activity_log
    assert (now.evidence.uncategorized_text, now.evidence.service_documentation[:5]) == ("She danced.", "file_")
    again = cachao(*words, "--text", "She danced.", "--yes")
    assert (again.exit_code, "has all of that already" in again.text) == (0, True)
    assert cachao("dispute", disputed["id"], "--submit").exit_code == 2
    sent = cachao("dispute", disputed["order"], "--submit", "--yes", json=True)
    assert (sent.data["done"], sent.data["dispute"]["status"]) == (True, "under_review")
    repeated = cachao("dispute", disputed["order"], "--submit", "--yes")
    assert (repeated.exit_code, "was answered already" in repeated.text) == (0, True)
    late = cachao("dispute", disputed["id"], "--text", "One more thing.", "--submit", "--yes")
    assert (late.exit_code, "takes one answer" in late.notes) == (1, True)
    made = cachao("show", disputed["order"], json=True).data
    assert [(one["kind"], one["request"], one["reason"]) for one in made["corrections"]] == [
        (
            "dispute",
            (
                f"dispute {disputed['id']} --evidence access_activity_log customer_email_address product_description"
                " service_date service_documentation uncategorized_text"
            ),
            "was there",
        ),
        ("dispute", f"dispute {disputed['id']} --submit", None),
    ]
    assert {"dispute_evidence_staged", "dispute_answered"} <= {one["entry"] for one in made["history"]}
    assert "danced" not in str(made)


def test_acceptance_is_final_and_its_event_ends_the_order(
    cachao: Cachao, database: Database, run: Run, stripe_stand_in: StripeStandIn, disputed: dict[str, Any]
) -> None:
    order = disputed["order"]
    sold = seats(database, order)[0]
    tried = cachao("dispute", order, "--accept", "--dry-run")
    assert f"order {order} ends as refunded, its 2 seats go back on sale" in " ".join(tried.text.split())
    accepted = cachao("dispute", order, "--accept", "--yes", "--reason", "sold by mistake")
    assert (accepted.exit_code, "it is lost" in accepted.text) == (0, True)
    body = at_stripe(stripe_stand_in, disputed).to_dict(for_json=True)
    assert body["status"] == "lost"
    run(envelope("charge.dispute.closed", body))
    assert (row_of(database, "ticket_orders", order)["status"], seats(database, order)[0]) == ("refunded", sold - 2)
    again = cachao("dispute", disputed["id"], "--accept", "--yes")
    assert (again.exit_code, "is lost already" in again.text) == (0, True)
    assert "sold by mistake" in cachao("show", order).text


def test_a_part_leaves_the_order_paid(cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn) -> None:
    part = open_dispute(database, stripe_stand_in, create_order(database, quantity=2), amount=1000)
    assert "stays paid, and keeps its seats" in cachao("dispute", part["id"], json=True).data["consequence"]


def test_what_cannot_be_done_says_what_can(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, disputed: dict[str, Any]
) -> None:
    inquiry = open_dispute(database, stripe_stand_in, create_order(database), inquiry=True)
    foreign = stripe_stand_in.open_dispute(stripe_stand_in.foreign_payment(PaymentSeed(4000)))
    undisputed = create_order(database)
    pay(database, undisputed)
    for words, said in (
        ((inquiry["id"], "--accept"), f"cachao refund {inquiry['order']} --payment {inquiry['payment_intent']}"),
        ((disputed["id"], "--submit"), "--from-order says what the shop knows"),
        ((foreign["id"],), "not known to be this shop's"),
        (("du_none",), "Stripe has no dispute of du_none"),
        ((undisputed,), f"Stripe has no dispute of {undisputed}"),
        ((999999,), "There is no order 999999"),
        ((disputed["id"], "--text", "x" * 20001), "Stripe takes 20000"),
        ((disputed["id"], "--text", " "), "is empty"),
    ):
        answer = cachao("dispute", *words, "--yes")
        assert (answer.exit_code, said in " ".join(answer.notes.split())) == (1, True), answer.notes
        assert "Nothing was done." in answer.notes
    stripe_stand_in.close_dispute(disputed["id"], status="won")
    decided = cachao("dispute", disputed["id"], "--accept", "--yes")
    assert (decided.exit_code, "is decided (won)" in decided.notes) == (1, True)


def test_of_several_disputes_the_open_one_is_meant_or_they_are_named(
    cachao: Cachao, database: Database, stripe_stand_in: StripeStandIn, disputed: dict[str, Any]
) -> None:
    body = at_stripe(stripe_stand_in, disputed).to_dict(for_json=True)
    stripe_stand_in.seed_objects([body | {"id": "du_before", "status": "lost"}])
    assert cachao("dispute", disputed["order"], json=True).data["dispute"]["dispute_id"] == disputed["id"]
    stripe_stand_in.seed_objects([body | {"id": "du_besides"}])
    several = cachao("dispute", disputed["order"])
    assert (several.exit_code, "du_besides (needs_response)" in several.notes) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ["re_1"],
        ["0"],
        ["du_1", "--accept", "--submit"],
        ["du_1", "--accept", "--text", "no"],
        ["du_1", "--evidence", "is-not-there.pdf"],
        ["du_1", "--evidence", "service_date=scan.pdf"],
        ["du_1", "--text", "receipt=scan.pdf"],
        ["du_1", "--text", "a", "--text", "b"],
        ["du_1", "--evidence", "scan.pdf", "--evidence", "scan.pdf"],
        ["du_1", "--evidence", "note.txt"],
        ["du_1", "--evidence", "large.pdf"],
        ["du_1", "--reason", "x" * 256],
    ],
)
def test_what_makes_no_sense_is_said_before_anybody_is_asked(cachao: Cachao, tmp_path: Path, words: list[str]) -> None:
    file_of(tmp_path)
    file_of(tmp_path, "note.txt", b"text")
    file_of(tmp_path, "large.pdf", PDF + bytes(4_400_000))
    assert cachao("dispute", *words, "--yes").exit_code == 2


def test_the_largest_file_passes(
    cachao: Cachao, stripe_stand_in: StripeStandIn, disputed: dict[str, Any], tmp_path: Path
) -> None:
    large = file_of(tmp_path, "large.pdf", PDF + bytes(4_400_000 - len(PDF)))
    assert cachao("dispute", disputed["id"], "--evidence", large, "--yes").exit_code == 0
    assert at_stripe(stripe_stand_in, disputed).evidence.uncategorized_file


def test_a_text_may_have_an_equals_sign(
    cachao: Cachao, stripe_stand_in: StripeStandIn, disputed: dict[str, Any]
) -> None:
    words = ["--text", "seats=2, as ordered", "--text", "customer_name=Jenny Rosen"]
    assert cachao("dispute", disputed["id"], *words, "--yes").exit_code == 0
    evidence = at_stripe(stripe_stand_in, disputed).evidence
    assert (evidence.uncategorized_text, evidence.customer_name) == ("seats=2, as ordered", "Jenny Rosen")
