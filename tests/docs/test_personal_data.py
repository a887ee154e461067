"""docs/personal_data.md names every table that has something of a buyer's, and every store of the template."""

from __future__ import annotations

from local.lint.subject import load
from tests.docs.test_docs import ROOT
from ticketing.operators.buyer_data import TABLES

PAGE = (ROOT / "docs" / "personal_data.md").read_text(encoding="utf-8")
STORES = (
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
    "AWS::Serverless::StateMachine",
    "AWS::Events::EventBus",
)


def test_each_table_of_an_order_is_named() -> None:
    assert [table for table in ("ticket_orders", *TABLES) if f"`{table}`" not in PAGE] == []


def test_of_each_store_the_key_is_stated() -> None:
    keys = PAGE[PAGE.index("## By whose keys") :]
    template = load(ROOT / "template.yaml").template["Resources"]
    assert [name for name, one in template.items() if one["Type"] in STORES and f"`{name}`" not in keys] == []
