"""docs/cost.md: what the shop costs and where it ends, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from local.cost import figures
from local.cost.bill import bill, snapshots
from local.cost.figures import Figure
from local.cost.limits import Limit, limits
from local.cost.usage import Share, shares

_HEAD: Final = """# Scale and cost

Made by `make cost` from template.yaml, the state machine and deploy/network-and-database.yaml. What stands in
local/cost/figures.py is published, measured or assumed, and says so below; all else is computed. Dollars of us-east-1,
on demand, without any free tier, with the database that the template makes by default: 10 million payments are four a
second on average, and what their peaks need is below. Not in it: retries, what is kept of logs and backups, and
Stripe's own fees. What was published was checked in November 2026 as the last column says; AWS's price pages fill in
their tables in a browser only: look there before you count on it.
"""

_SNAPSHOTS: Final = """Not in the table: with `SnapStart=true` the snapshots of {} functions cost {:,.2f} a month for
each version of the code that is still invoked, and each worker that starts from one {:.6f}. Lambda drops a snapshot
that nobody asked for in 14 days.
"""


def page(template: Mapping[str, Any], network: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    """Give the page as Markdown."""
    brought = shares(definition)
    found = limits(template, brought)
    parts = [
        _HEAD,
        "## What one payment brings with it\n",
        _table(("Execution", "A payment", "Transitions", "Invocations", "Writes", "Messages"), _ways(brought)),
        "## A month\n",
        _table(
            ("", *(f"{payments:,} payments" for payments in figures.PAYMENTS_A_MONTH)),
            _months(template, network, brought),
        ),
        _SNAPSHOTS.format(*snapshots(template)),
        "## Which limit is met first\n",
        "A limit of 1.0 is reached. Retries and cold starts come on top: begin to act at a half.\n",
        _table(
            ("Limit", "Is", *(f"at {rate:,}/s" for rate in figures.PAYMENTS_A_SECOND), "Met at", "Beyond it"),
            [_limit(one) for one in found],
        ),
        *_first(found),
        "## Where each figure is from\n",
        _table(
            ("Figure", "Value", "Source", "Checked"),
            [_figure(figure) for _, figure in figures.all_figures()],
        ),
    ]
    return "\n".join(parts)


def _ways(brought: Sequence[Share]) -> Iterator[tuple[str, ...]]:
    for share in brought:
        one = share.way
        counts = (one.transitions, one.invocations, one.writes, one.messages)
        yield one.name, f"{share.executions.normalize():f}", *(str(count) for count in counts)


def _months(
    template: Mapping[str, Any], network: Mapping[str, Any], brought: Sequence[Share]
) -> Iterator[tuple[str, ...]]:
    months = [bill(template, network, brought, payments) for payments in figures.PAYMENTS_A_MONTH]
    sums = [sum((item.dollars for item in month), Decimal(0)) for month in months]
    yield "**all, USD**", *(f"**{dollars:,.2f}**" for dollars in sums)
    each = [dollars / payments for dollars, payments in zip(sums, figures.PAYMENTS_A_MONTH, strict=True)]
    yield "a payment, USD", *(f"{dollars:.5f}" for dollars in each)
    by_name = [{item.name: item for item in month} for month in months]
    for item in months[-1]:
        yield item.name, *(f"{month[item.name].quantity:,.0f} = {month[item.name].dollars:,.2f}" for month in by_name)


def _limit(limit: Limit) -> tuple[str, ...]:
    shares_of = [limit.of_one * rate / limit.allowed for rate in figures.PAYMENTS_A_SECOND]
    return (
        limit.name,
        f"{limit.allowed.normalize():,f}",
        *(f"**{share:,.1f}**" if share >= 1 else f"{share:.2f}" for share in shares_of),
        f"{limit.payments_a_second:,.0f}/s",
        limit.then,
    )


def _figure(figure: Figure) -> tuple[str, ...]:
    source = figure.source if figure.kind == "published" else f"{figure.kind}: {figure.source}"
    return figure.what, f"{figure.value.normalize():f}", source, figure.checked or ""


def _first(found: Sequence[Limit]) -> Iterator[str]:
    for rate in figures.PAYMENTS_A_SECOND:
        met = [limit for limit in found if limit.payments_a_second <= rate]
        if not met:
            yield f"**{rate:,} payments a second**: no limit is met; the nearest is “{found[0].name}”.\n"
            continue
        yield f"**{rate:,} payments a second**: met first is “{met[0].name}”. What to do, in this order:\n"
        yield "\n".join(f"- {limit.name}: {limit.advice}." for limit in met) + "\n"


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
