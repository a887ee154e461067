"""Whether everything adds up: counters and orders, payments and counts, refunds and payments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.doctor.finding import NOT_PROCESSED, Finding, fine, unknown
from cachao.problems import FunctionFailed
from cachao.view.output import moment, pluralize

LINK: Final = "Counts"
_COUNT_AT_MOST: Final = 1000
_NAME_AT_MOST: Final = 5
_RECOUNT: Final = "docs/runbook.md#countsoff says how to put a counter right."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether what is sold, used, held and refunded is what the orders say."""
    try:
        found = environment.invoke("InspectOrderFunction", {"counts": True})["counts"]
    except FunctionFailed as failure:
        if failure.error not in {"DatabaseUnavailable", "SchemaOutdated"} and "timed out" not in failure.sentence:
            raise
        # What is wrong with the database itself its own link says.
        yield unknown(
            LINK, f"The orders could not be added up: {failure.sentence}.", "Try again when less is going on."
        )
        return
    problems = [*_of_tickets(found), *_of_codes(found), *_of_orders(found)]
    looked = (
        f"{pluralize(found['orders'], 'order')}, {pluralize(found['tickets'], 'ticket')} and"
        f" {pluralize(found['codes'], 'discount code')}"
    )
    yield from problems or [fine(LINK, f"All adds up: {looked} were looked at.")]


def _of_tickets(found: dict[str, Any]) -> Iterator[Finding]:
    yield from _counters(
        found["sold_low"],
        "ticket",
        "sold_too_low",
        "fewer seats sold than their orders counted: seats can be sold twice",
        "Somebody changed sold_quantity by hand, or restored a backup.",
    )
    yield from _counters(
        found["sold_high"],
        "ticket",
        "sold_too_high",
        "more seats sold than their orders counted: those are not sold any more",
        "Somebody changed sold_quantity by hand. If seats were sold elsewhere, lower max_quantity instead.",
    )
    yield from _counters(
        found["held_low"],
        "ticket",
        "held_too_low",
        "fewer seats held than their orders hold: seats can be sold twice",
        "Somebody changed held_quantity by hand, or restored a backup.",
    )
    yield from _counters(
        found["held_high"],
        "ticket",
        "held_too_high",
        "more seats held than their orders hold: those are never sold",
        "Somebody changed held_quantity by hand, or deleted orders that held seats.",
    )


def _of_codes(found: dict[str, Any]) -> Iterator[Finding]:
    yield from _counters(
        found["used_low"],
        "discount code",
        "used_too_low",
        "fewer uses than their orders counted: they can be used too often",
        "Somebody changed used_count by hand, or restored a backup.",
    )
    yield from _counters(
        found["used_high"],
        "discount code",
        "used_too_high",
        "more uses than their orders counted",
        "Somebody changed used_count by hand.",
    )
    for name, cause, what in (
        ("uses_held_low", "uses_held_too_low", "fewer uses held than their orders hold"),
        ("uses_held_high", "uses_held_too_high", "more uses held than their orders hold"),
    ):
        yield from _counters(found[name], "discount code", cause, what, "Somebody changed held_count by hand.")


def _counters(off: list[dict[str, Any]], thing: str, cause: str, what: str, reason: str) -> Iterator[Finding]:
    if not off:
        return
    named = ", ".join(
        f"{thing} {one['row_id']} ({one['counter']}; its orders make it {one['orders']})" for one in off[:_NAME_AT_MOST]
    )
    more = f" and {len(off) - _NAME_AT_MOST} more" if len(off) > _NAME_AT_MOST else ""
    verb = "has" if len(off) == 1 else "have"
    yield Finding(
        LINK,
        "broken",
        f"{pluralize(len(off), thing)} {verb} {what}: {named}{more}.",
        cause,
        f"{reason} {_RECOUNT}",
        NOT_PROCESSED,
        waits=True,
    )


def _of_orders(found: dict[str, Any]) -> Iterator[Finding]:
    uncounted = found["uncounted"]
    if uncounted["number"]:
        since = f" (since {moment(datetime.fromisoformat(uncounted['oldest']))} UTC)" if uncounted["oldest"] else ""
        yield _orders(
            uncounted,
            "paid_uncounted",
            f"paid and not counted{since}: their seats stay held, and nobody counts them any more",
            "The reconciliation counts them by itself, each quarter of an hour. Now:\ncachao reconcile",
        )
    if found["idle_holds"]["number"]:
        yield _orders(
            found["idle_holds"],
            "idle_holds",
            "over, and still hold seats or a code use: those are never sold",
            f"Somebody changed the orders by hand. {_RECOUNT}",
        )
    if found["refunded_too_much"]["number"]:
        yield _orders(
            found["refunded_too_much"],
            "refunded_too_much",
            "refunded by more than was paid",
            "Compare each with Stripe's dashboard:\ncachao show ORDER",
        )
    if found["told"]["number"]:
        yield _orders(
            found["told"],
            "counts_off",
            "recorded, but a counter could not follow (alert CountsOff)",
            f"See each:\ncachao show ORDER\n{_RECOUNT}",
        )


def _orders(off: dict[str, Any], cause: str, what: str, todo: str) -> Finding:
    number, ids = off["number"], off["ids"][:_NAME_AT_MOST]
    many = f"{_COUNT_AT_MOST} or more orders are" if number >= _COUNT_AT_MOST else _are(number)
    named = ", ".join(str(order) for order in ids) + (", …" if number > len(ids) else "")
    return Finding(LINK, "broken", f"{many} {what}: {named}.", cause, todo, NOT_PROCESSED, waits=True)


def _are(number: int) -> str:
    return f"{pluralize(number, 'order')} {'is' if number == 1 else 'are'}"
