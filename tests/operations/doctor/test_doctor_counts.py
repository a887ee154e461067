"""The doctor on what must add up: each sum that does not hold is named, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from cachao.aws.environment import Environment
from cachao.doctor import counts
from cachao.doctor.examination import examine
from cachao.problems import FunctionFailed
from tests.factories import create_code, create_order, create_ticket
from tests.operations.conftest import Cachao
from tests.operations.doctor.patients import Causes, Patient
from tests.ticketing.paid_orders import pay
from ticketing.database import Database


def change(database: Database, sql: str, *parameters: object) -> None:
    with database.transaction() as tx:
        assert tx.change(sql, *parameters) > 0


def test_what_was_looked_at_is_said(patient: Patient, environment: Environment) -> None:
    create_order(patient.database)
    [finding] = examine(environment, [counts.LINK])
    assert finding.says == "All adds up: 1 order, 1 ticket and 0 discount codes were looked at."


def test_every_sum_that_does_not_hold_is_named(patient: Patient, environment: Environment, causes: Causes) -> None:
    database = patient.database
    code, used = create_code(database), create_code(database, used_count=3, held_count=2)
    low, high = create_ticket(database), create_ticket(database, sold_quantity=4, held_quantity=3)
    order = create_order(database, ticket_id=low, quantity=2, discount_code_id=code)
    held = create_order(database, ticket_id=low, discount_code_id=code)
    pay(database, order)
    change(database, "UPDATE tickets SET sold_quantity = 1, held_quantity = 0 WHERE id = %s", low)
    change(database, "UPDATE discount_codes SET used_count = 0, held_count = 0 WHERE id = %s", code)
    uncounted, idle, refunded, told = (create_order(database) for _ in range(4))
    pay(database, uncounted, count=False)
    change(database, "UPDATE ticket_orders SET paid_at = '2026-01-02 03:04:05' WHERE id = %s", uncounted)
    change(database, "UPDATE ticket_orders SET status = 'expired' WHERE id = %s", idle)
    change(database, "UPDATE ticket_orders SET refunded_amount = 20.01 WHERE id = %s", refunded)
    change(
        database,
        "INSERT INTO counts_off (order_id, effect, counter_id, amount, reason)"
        " VALUES (%s, 'release_seats', 1, 1, 'gone')",
        told,
    )
    found = causes(counts.LINK)
    assert {cause: finding.says for cause, finding in found.items()} == {
        "sold_too_low": "1 ticket has fewer seats sold than their orders counted: seats can be sold twice:"
        f" ticket {low} (1; its orders make it 2).",
        "sold_too_high": "1 ticket has more seats sold than their orders counted: nobody can buy the difference:"
        f" ticket {high} (4; its orders make it 0).",
        "held_too_low": "1 ticket has fewer seats held than their orders hold: seats can be sold twice:"
        f" ticket {low} (0; its orders make it 1).",
        "held_too_high": "1 ticket has more seats held than their orders hold: nobody can buy the difference:"
        f" ticket {high} (3; its orders make it 0).",
        "used_too_low": "1 discount code has fewer uses than their orders counted: they can be used too often:"
        f" discount code {code} (0; its orders make it 1).",
        "used_too_high": "1 discount code has more uses than their orders counted: nobody can use the difference:"
        f" discount code {used} (3; its orders make it 0).",
        "uses_held_too_low": "1 discount code has fewer uses held than their orders hold: they can be used too often:"
        f" discount code {code} (0; its orders make it 1).",
        "uses_held_too_high": "1 discount code has more uses held than their orders hold: nobody can use the"
        " difference:"
        f" discount code {used} (2; its orders make it 0).",
        "paid_uncounted": "1 order is paid and not counted (since 2026-01-02 03:04:05 UTC): their seats stay held:"
        f" {uncounted}.",
        "idle_holds": f"1 order is over, but still hold seats or a code use: nobody can buy these: {idle}.",
        "refunded_too_much": f"1 order is refunded by more than was paid: {refunded}.",
        "counts_off": f"1 order is recorded, but a counter could not follow (alert CountsOff): {told}.",
    }
    assert f"\ncachao counts {environment.cachao_options} --ticket {low}" in found["sold_too_low"].todo
    assert f"\ncachao counts {environment.cachao_options} --code {used}" in found["used_too_high"].todo
    assert f"\ncachao reconcile {environment.cachao_options}" in found["idle_holds"].todo
    assert found["refunded_too_much"].todo.endswith(f"\ncachao show {environment.cachao_options} {refunded}")
    assert f"\ncachao counts {environment.cachao_options} --all" in found["counts_off"].todo
    assert held


def test_of_many_the_first_are_named_and_the_command_takes_all(patient: Patient, causes: Causes) -> None:
    tickets = [create_ticket(patient.database, held_quantity=1) for _ in range(7)]
    finding = causes(counts.LINK)["held_too_high"]
    assert finding.says.startswith("7 tickets have more seats held")
    assert f"ticket {tickets[4]} (1; its orders make it 0) and 2 more." in finding.says
    assert f"ticket {tickets[5]} " not in finding.says
    assert finding.todo.endswith("--all")


def test_a_sum_that_does_not_hold_ends_the_command_with_1(patient: Patient, cachao: Cachao) -> None:
    create_ticket(patient.database, held_quantity=1)
    answer = cachao("doctor")
    assert answer.exit_code == 1
    assert "held_too_high" in answer.text


class AnsweringFunction:
    """InspectOrder, as it answers on a database that is busy, or away, or of an older version."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer

    def invoke(self, function: str, given: dict[str, Any]) -> dict[str, Any]:
        assert (function, given) == ("InspectOrderFunction", {"counts": True})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


BUSY = {
    **{kind: {"number": 0, "first": []} for kind in (*counts._TICKETS, *counts._CODES)},
    **{
        kind: {"number": 0, "ids": [], "oldest": None}
        for kind in ("uncounted", "idle_holds", "refunded_too_much", "told")
    },
    "orders": 0,
    "tickets": 0,
    "codes": 0,
    "not_looked_at": ["tickets", "sizes"],
}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"counts": BUSY}, "The time was too short to see whether the tickets' counters are what the orders say:"),
        ({}, "The deployed InspectOrderFunction cannot check counters"),
        (FunctionFailed("InspectOrderFunction", "DatabaseUnavailable", "it is away"), "could not be checked"),
    ],
)
def test_what_nobody_could_add_up_is_no_all_clear(answer: dict[str, Any] | Exception, says: str) -> None:
    [finding] = counts.check(AnsweringFunction(answer))  # type: ignore[arg-type]
    assert finding.state == "cannot tell"
    assert says in finding.says


def test_without_the_sizes_all_adds_up_all_the_same() -> None:
    answer = {"counts": {**BUSY, "not_looked_at": ["sizes"]}}
    [finding] = counts.check(AnsweringFunction(answer))  # type: ignore[arg-type]
    assert (finding.state, finding.says) == ("fine", "All adds up.")


def test_refunds_that_were_cut_off_are_told(environment: Environment, database: Database) -> None:
    order_id = create_order(database)
    with database.transaction() as tx:
        tx.change(
            "INSERT INTO order_corrections (order_id, kind, request, changes, corrected_by, corrected_at) VALUES"
            " (%s, 'refund_seats', 'refund 1 --seats 1', '[]', 'ann', UTC_TIMESTAMP() - INTERVAL 1 HOUR)",
            order_id,
        )
        tx.change(
            "INSERT INTO event_refunds (scope, begun_by, begun_at) VALUES"
            " ('event:12', 'ann', UTC_TIMESTAMP() - INTERVAL 1 HOUR)"
        )
    found = {finding.cause: finding for finding in counts.check(environment)}
    assert set(found) == {"refund_unfinished", "event_refund_unfinished"}
    assert f"{order_id}." in found["refund_unfinished"].says
    assert "\ncachao refund --event 12" in found["event_refund_unfinished"].todo
