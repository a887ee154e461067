"""docs/cost.md is what template and state machine say, and every figure in it has a source."""

from __future__ import annotations

from typing import get_args

import pytest

from local.cost import figures
from local.cost.__main__ import PAGE, ROOT, current
from local.cost.limits import limits
from local.cost.usage import shares, way
from local.lint.subject import load

SUBJECT = load(ROOT / "template.yaml")


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == current(), "run `make cost`"


@pytest.mark.parametrize("figure", [figure for _, figure in figures.all_figures()], ids=lambda figure: figure.what)
def test_each_figure_says_where_it_is_from(figure: figures.Figure) -> None:
    published = figure.kind == "published"
    assert figure.source.startswith("https://") == published
    assert (figure.checked in get_args(figures.Checked)) == published
    assert figure.kind != "measured here" or "`make bench`" in figure.source
    assert figure.value > 0


def test_a_paid_order_with_a_code_takes_nine_transitions() -> None:
    paid = way(SUBJECT.definition, "paid", "OrderPaid")
    assert paid.transitions == 9, paid.states
    assert (paid.invocations, paid.writes, paid.messages) == (5, 0, 0)


def test_a_way_counts_branches_alerts_and_caught_errors() -> None:
    refused = way(SUBJECT.definition, "refused", "LookUpOrder", "DescribeFailure", "PaymentFailed")
    assert refused.states[:3] == ("ValidateEvent", "LookUpOrder", "DescribeFailure")
    assert {"ClaimAlert", "AlertOperators", "NoteAlertTold"} <= set(refused.states)
    assert (refused.writes, refused.messages) == (3, 1)
    with pytest.raises(ValueError, match="No way leads from Ignored to OrderPaid"):
        way(SUBJECT.definition, "none", "Ignored", "OrderPaid")


def test_the_limit_that_is_met_first_comes_first() -> None:
    rates = [limit.payments_a_second for limit in limits(SUBJECT.template, shares(SUBJECT.definition))]
    assert rates == sorted(rates)
    assert rates[0] <= 100
