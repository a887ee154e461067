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
# The function counts orders up to here.
_COUNT_AT_MOST: Final = 1000
_NAME_AT_MOST: Final = 5
_PARTS: Final = {
    "orders": "whether orders wait to be counted, or hold what they do not need",
    "refunds": "whether more went back than was paid, and refunds were cut off",
    "tickets": "whether the tickets' counters are what the orders say",
    "codes": "whether the discount codes' counters are what the orders say",
}
# Of each way in which counters are off: what it means, and how it comes about.
_TICKETS: Final = {
    "sold_low": (
        "sold_too_low",
        "fewer seats sold than their orders counted: seats can be sold twice",
        "Somebody changed sold_quantity by hand, or restored a backup.",
    ),
    "sold_high": (
        "sold_too_high",
        "more seats sold than their orders counted: nobody can buy the difference",
        "Somebody changed sold_quantity by hand. If seats were sold elsewhere, lower the limit instead (cachao limit).",
    ),
    "held_low": (
        "held_too_low",
        "fewer seats held than their orders hold: seats can be sold twice",
        "Somebody changed held_quantity by hand, or restored a backup.",
    ),
    "held_high": (
        "held_too_high",
        "more seats held than their orders hold: nobody can buy the difference",
        "Somebody changed held_quantity by hand, or deleted orders that held seats.",
    ),
}
_CODES: Final = {
    "used_low": (
        "used_too_low",
        "fewer uses than their orders counted: they can be used too often",
        "Somebody changed used_count by hand, or restored a backup.",
    ),
    "used_high": (
        "used_too_high",
        "more uses than their orders counted: nobody can use the difference",
        "Somebody changed used_count by hand. If others gave uses away, lower the limit instead (cachao limit).",
    ),
    "uses_held_low": (
        "uses_held_too_low",
        "fewer uses held than their orders hold: they can be used too often",
        "Somebody changed held_count by hand, or restored a backup.",
    ),
    "uses_held_high": (
        "uses_held_too_high",
        "more uses held than their orders hold: nobody can use the difference",
        "Somebody changed held_count by hand, or deleted orders that held uses.",
    ),
}


def check(environment: Environment) -> Iterator[Finding]:
    """Whether what is sold, used, held and refunded is what the orders say."""
    try:
        found = environment.invoke("InspectOrderFunction", {"counts": True}).get("counts")
    except FunctionFailed as failure:
        # What is wrong with the database itself its own link says.
        yield unknown(LINK, f"The counters could not be checked: {failure.sentence.rstrip('.')}.", failure.advice)
        return
    if found is None:
        yield unknown(
            LINK,
            "The deployed InspectOrderFunction cannot check counters: its version is older.",
            "Deploy this version (docs/deploy.md).",
        )
        return
    problems = [
        *_of_orders(found),
        *_of_refunds(found),
        *_of_counters(found, "ticket", "--ticket", _TICKETS),
        *_of_counters(found, "discount code", "--code", _CODES),
    ]
    yield from problems
    late = [said for part, said in _PARTS.items() if part in found["not_looked_at"]]
    if late:
        yield unknown(
            LINK,
            f"The time was too short to see {'; '.join(late)}: there are many orders, or the database is busy.",
            "Try again when the shop is less busy. This command has more time for the counters:\ncachao counts --all",
        )
    elif not problems:
        yield fine(LINK, f"All adds up{_looked_at(found)}.")


def _looked_at(found: dict[str, Any]) -> str:
    if "sizes" in found["not_looked_at"]:
        return ""
    return (
        f": {pluralize(found['orders'], 'order')}, {pluralize(found['tickets'], 'ticket')} and"
        f" {pluralize(found['codes'], 'discount code')} were looked at"
    )


def _of_counters(
    found: dict[str, Any], thing: str, option: str, kinds: dict[str, tuple[str, str, str]]
) -> Iterator[Finding]:
    for kind, (cause, what, reason) in kinds.items():
        number, first = found[kind]["number"], found[kind]["first"]
        if not number:
            continue
        named = ", ".join(
            f"{thing} {one['row_id']} ({one['counter']}; its orders make it {one['orders']})"
            for one in first[:_NAME_AT_MOST]
        )
        more = f" and {number - _NAME_AT_MOST} more" if number > _NAME_AT_MOST else ""
        which = f"{option} {first[0]['row_id']}" if number == 1 else "--all"
        yield Finding(
            LINK,
            "broken",
            f"{pluralize(number, thing)} {'has' if number == 1 else 'have'} {what}: {named}{more}.",
            cause,
            f"{reason} See what would change, then change it (docs/runbook.md#countsoff):\ncachao counts {which}",
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
            f"paid and not counted{since}: their seats stay held",
            "Reconciliation counts them every 15 minutes, and reports what it cannot count. To run it now:"
            "\ncachao reconcile",
        )
    if found["idle_holds"]["number"]:
        yield _orders(
            found["idle_holds"],
            "idle_holds",
            "over, but still hold seats or a code use: nobody can buy these",
            "Somebody changed the orders by hand. Reconciliation gives back what they hold:\ncachao reconcile"
            "\nOf what is paid and counted this does, an order at a time:\n" + _drop_hold(found["idle_holds"]),
        )
    if found["refunded_too_much"]["number"]:
        yield _orders(
            found["refunded_too_much"],
            "refunded_too_much",
            "refunded by more than was paid",
            f"Compare with Stripe, by cachao stripe ORDER:\n{_show(found['refunded_too_much'])}",
        )
    if found["told"]["number"]:
        yield _orders(
            found["told"],
            "counts_off",
            "recorded, but a counter could not follow (alert CountsOff)",
            "See what would change, then change it (docs/runbook.md#countsoff):\ncachao counts --all",
        )


def _of_refunds(found: dict[str, Any]) -> Iterator[Finding]:
    # A function of an older deployment does not say.
    unfinished = found.get("unfinished", {"number": 0})
    if unfinished["number"]:
        yield _orders(
            unfinished,
            "refund_unfinished",
            "to get a refund of seats, or the answer to a dispute, that was cut off: it may be done at Stripe already",
            f"Say the same command again, which goes on where it was; this has its words:\n{_show(unfinished)}",
        )
    scopes = found.get("unfinished_events", [])
    if scopes:
        named = ", ".join(scope.replace(":", " ") for scope in scopes)
        commands = "\n".join(f"cachao refund --{scope.replace(':', ' ')}" for scope in scopes)
        yield Finding(
            LINK,
            "broken",
            f"The refund of {named} was begun and has not ended, or an order was paid since.",
            "event_refund_unfinished",
            f"It goes on where it was (docs/runbook.md#refunding-an-event-that-was-called-off):\n{commands}",
            NOT_PROCESSED,
            waits=True,
        )


def _drop_hold(off: dict[str, Any]) -> str:
    return f"cachao correct {off['ids'][0]} --drop-hold"


def _show(off: dict[str, Any]) -> str:
    return "\n".join(f"cachao show {order}" for order in off["ids"][:_NAME_AT_MOST])


def _orders(off: dict[str, Any], cause: str, what: str, todo: str) -> Finding:
    number, ids = off["number"], off["ids"][:_NAME_AT_MOST]
    many = f"{_COUNT_AT_MOST} or more orders are" if number >= _COUNT_AT_MOST else _are(number)
    named = ", ".join(str(order) for order in ids) + (", …" if number > len(ids) else "")
    return Finding(LINK, "broken", f"{many} {what}: {named}.", cause, todo, NOT_PROCESSED, waits=True)


def _are(number: int) -> str:
    return f"{pluralize(number, 'order')} {'is' if number == 1 else 'are'}"
