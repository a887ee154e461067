"""`cachao show … --picture`: the way that an execution really took is the one that is drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.aws.cloud import LocalCloud
from tests.factories import create_order, envelope, row_of, session_of
from tests.operations.conftest import Cachao
from tests.workflow import conftest as workflow
from tests.workflow.conftest import Run
from ticketing.database import Database

run = workflow.run


def taken(svg: str) -> set[str]:
    """The ways that are drawn as taken, by their tooltips."""
    return set(re.findall(r'<path class="way[^"]* taken[^"]*" d="[^"]*"><title>([^<:]*)', svg))


@pytest.fixture
def refused(run: Run, database: Database, cloud: LocalCloud) -> str:
    workflow.forget_alerts(cloud)  # the first with this error, which is told at once
    order_id = create_order(database)
    body = session_of(row_of(database, "ticket_orders", order_id), amount_total=1)
    return run(envelope("checkout.session.completed", body)).name


def test_a_paid_order(run: Run, cachao: Cachao, database: Database, tmp_path: Path) -> None:
    order_id = create_order(database)
    ended = run(envelope("checkout.session.completed", session_of(row_of(database, "ticket_orders", order_id))))
    answer = cachao("show", ended.name, "--picture", tmp_path / "paid.svg")
    assert answer.exit_code == 0, answer.notes
    svg = (tmp_path / "paid.svg").read_text(encoding="utf-8")
    assert taken(svg) == {
        "ValidateEvent on to LookUpOrder",
        "LookUpOrder on to WhatHappened",
        "WhatHappened on to MarkOrderPaid",
        "MarkOrderPaid on to UpdateCounts",
        "UpdateCounts on to AreCountsMade",
        "AreCountsMade on to OrderPaid",
    }
    assert svg.count('class="state succeeded">') == len(ended.states)
    assert 'class="state failed">' not in svg


def test_a_refused_payment(cachao: Cachao, refused: str, tmp_path: Path) -> None:
    assert cachao("show", refused, "--picture", tmp_path / "refused.svg").exit_code == 0
    svg = (tmp_path / "refused.svg").read_text(encoding="utf-8")
    assert taken(svg) == {
        "ValidateEvent on to LookUpOrder",
        "LookUpOrder on an error to DescribeFailure",
        "DescribeFailure on to AlertOnce",
        "ClaimAlert on to IsAlertMine",
        "IsAlertMine on to CountAlert",
        "CountAlert on to IsAlertFirst",
        "IsAlertFirst on to AlertOperators",
        "AlertOperators on to NoteAlertTold",
        "AlertOnce on to PaymentFailed",
    }
    assert re.search(r'class="state caught"><title>LookUpOrder: .*Failed, caught with AmountMismatch', svg)
    assert 'class="state failed"><title>PaymentFailed' in svg


def test_a_page(cachao: Cachao, refused: str, tmp_path: Path) -> None:
    assert cachao("show", refused, "--picture", tmp_path / "refused.html").exit_code == 0
    page = (tmp_path / "refused.html").read_text(encoding="utf-8")
    assert f"<h1>{refused}</h1><p>FAILED with AmountMismatch in LookUpOrder." in page
    assert "example.com" not in page


@pytest.mark.parametrize("name", ["picture.png", "no/such/folder.svg"])
def test_a_file_that_cannot_be_is_told(cachao: Cachao, refused: str, tmp_path: Path, name: str) -> None:
    answer = cachao("show", refused, "--picture", tmp_path / name)
    assert answer.exit_code != 0
    assert name in answer.notes.replace("\n", "")
