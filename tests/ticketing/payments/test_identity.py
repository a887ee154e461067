"""Which Checkout Session is an order's own (docs/rules.md, "Words"): by its id or its mark, never by a bare number."""

from __future__ import annotations

from typing import Any

import pytest

from ticketing.payments.identity import is_ours, ownership
from ticketing.stripe.objects import identity_of

MARK = "k3Jx0lq8Qm2c7VbT9nYd1A"
OURS = {"order_id": "7", "event_id": "3", "ticket_id": "5"}


def order(**columns: Any) -> dict[str, Any]:
    return {"id": 7, "event_id": 3, "ticket_id": 5, "stripe_checkout_session_id": None, "order_mark": MARK, **columns}


def session(metadata: object, session_id: str = "cs_test_1", **fields: Any) -> dict[str, Any]:
    return {"id": session_id, "object": "checkout.session", "metadata": metadata, **fields}


MARKED = [
    ("its mark", OURS | {"order_mark": MARK}, "ours"),
    ("its mark, event and ticket moved since", {**OURS, "ticket_id": "6", "order_mark": MARK}, "ours"),
    ("its mark and its number alone", {"order_id": "7", "order_mark": MARK}, "ours"),
    ("another mark", OURS | {"order_mark": MARK[::-1]}, "contradicts"),
    ("the mark in other letters", OURS | {"order_mark": MARK.lower()}, "contradicts"),
    ("no mark, all else right", OURS, "not_ours"),
    ("an empty mark, all else right", OURS | {"order_mark": ""}, "not_ours"),
    ("another event", {**OURS, "event_id": "4"}, "contradicts"),
    ("another ticket", {**OURS, "ticket_id": "6"}, "contradicts"),
    ("the bare number", {"order_id": "7"}, "not_ours"),
    ("the number and the event", {"order_id": "7", "event_id": "3"}, "not_ours"),
    ("another number with the mark", {"order_id": "8", "order_mark": MARK}, "not_ours"),
    ("the mark without a number", {"order_mark": MARK}, "not_ours"),
    ("nothing", {}, "not_ours"),
    ("no metadata", None, "not_ours"),
    ("numbers that are no text", {"order_id": 7, "order_mark": 1}, "not_ours"),
]

UNMARKED = [
    ("all three", OURS, "ours"),
    ("a mark, although the order has none", OURS | {"order_mark": MARK}, "contradicts"),
    ("another event", {**OURS, "event_id": "4"}, "contradicts"),
    ("another ticket", {**OURS, "ticket_id": "6"}, "contradicts"),
    ("a ticket that is no number", {**OURS, "ticket_id": "vip"}, "contradicts"),
    ("the bare number", {"order_id": "7"}, "not_ours"),
    ("number and ticket", {"order_id": "7", "ticket_id": "5"}, "not_ours"),
    ("a number with a blank", {**OURS, "order_id": " 7"}, "not_ours"),
    ("a number with a zero before it", {**OURS, "order_id": "07"}, "not_ours"),
    ("nothing", {}, "not_ours"),
]


@pytest.mark.parametrize(("metadata", "expected"), [pytest.param(m, e, id=name) for name, m, e in MARKED])
def test_an_order_with_a_mark_is_known_by_it(metadata: object, expected: str) -> None:
    assert ownership(order(), identity_of(session(metadata))) == expected
    assert is_ours(order(), identity_of(session(metadata))) is (expected == "ours")


@pytest.mark.parametrize(("metadata", "expected"), [pytest.param(m, e, id=name) for name, m, e in UNMARKED])
def test_an_order_of_the_shop_before_is_known_by_order_event_and_ticket(metadata: object, expected: str) -> None:
    assert ownership(order(order_mark=None), identity_of(session(metadata))) == expected


@pytest.mark.parametrize("metadata", [None, {}, {"order_id": "8"}, OURS | {"order_mark": "another"}])
@pytest.mark.parametrize("mark", [MARK, None])
def test_the_session_that_stands_on_the_order_is_ours_whatever_it_says(metadata: object, mark: str | None) -> None:
    stored = order(stripe_checkout_session_id="cs_test_1", order_mark=mark)
    assert is_ours(stored, identity_of(session(metadata)))
    assert not is_ours(stored, identity_of(session(metadata, session_id="cs_test_i")))


def test_a_sessions_reference_and_price_identify_nothing() -> None:
    same = session({}, client_reference_id="7", amount_total=4000, currency="eur")
    assert not is_ours(order(order_mark=None), identity_of(same))
