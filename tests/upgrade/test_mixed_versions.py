"""The version before and this one side by side: functions, workflow and schema, under load, while all is switched.

A schema is at least as new as the functions (migrations come first, docs/upgrade.md): six mixtures, in which nothing
is lost and nobody is alerted. In the other two the functions say at once what is missing, and nothing is lost either.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from tests.factories import create_code, create_order, create_ticket, envelope, row_of, session_of
from tests.sizes import size
from tests.upgrade.conftest import Age, Deployments, Executions
from tests.workflow.conftest import ended, put
from ticketing.database import Database, Row

SEATS = 3
ORDERS_A_MIXTURE = 20
# Of the alias, under load, once the schema is the new one.
SWITCHES = 10
AGES: tuple[Age, Age] = ("old", "new")
MIXTURES: list[tuple[Age, Age]] = [("old", "old"), ("old", "new"), ("new", "old"), ("new", "new")]

Alerts = Callable[[], list[dict[str, Any]]]


class Load:
    """Buyers who pay, leave, or pay late, one after the other; each order is of this ticket and this code."""

    def __init__(self, cloud: LocalCloud, database: Database) -> None:
        self._cloud = cloud
        self._database = database
        self._paths = itertools.cycle(("paid", "expired", "paid again", "delayed"))
        self.orders: dict[int, str] = {}
        self.ticket_id = create_ticket(database, max_quantity=None)
        event_id = row_of(database, "tickets", self.ticket_id)["event_id"]
        self.code_id = create_code(database, event_id=event_id, max_uses=None)

    def come(self, number: int) -> None:
        """Let so many buyers come."""
        for _ in range(number):
            path = next(self._paths)
            order_id = create_order(
                self._database, ticket_id=self.ticket_id, quantity=SEATS, discount_code_id=self.code_id
            )
            order = row_of(self._database, "ticket_orders", order_id)
            for event in events_of(path, order):
                put(self._cloud, event)
            self.orders[order_id] = path

    def check(self) -> None:
        """Hold that each order is what its buyer did, and each seat and use counted once."""
        wanted = {order_id: "expired" if path == "expired" else "paid" for order_id, path in self.orders.items()}
        found = {order_id: row_of(self._database, "ticket_orders", order_id)["status"] for order_id in self.orders}
        assert found == wanted
        paid = sum(status == "paid" for status in wanted.values())
        ticket = row_of(self._database, "tickets", self.ticket_id)
        assert (ticket["sold_quantity"], ticket["held_quantity"]) == (paid * SEATS, 0)
        code = row_of(self._database, "discount_codes", self.code_id)
        assert (code["used_count"], code["held_count"]) == (paid, 0)


def events_of(path: str, order: Row) -> list[dict[str, Any]]:
    completed = envelope("checkout.session.completed", session_of(order))
    unpaid = {"payment_status": "unpaid"}
    return {
        "paid": [completed],
        "paid again": [completed, completed],
        "expired": [envelope("checkout.session.expired", session_of(order, **unpaid, status="expired"))],
        "delayed": [
            envelope("checkout.session.completed", session_of(order, **unpaid)),
            envelope("checkout.session.async_payment_succeeded", session_of(order)),
        ],
    }[path]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_functions_workflow_and_schema_of_both_versions_work_together(
    cloud: LocalCloud, deployments: Deployments, alerts: Alerts, since: Executions
) -> None:
    load = Load(cloud, deployments.database)
    for workflow in AGES:
        deployments.deploy("old", workflow)
        load.come(ORDERS_A_MIXTURE)
    applied = deployments.migrate("new")
    assert applied, "both versions have the same schema: name another one before (BEFORE)"

    switched = threading.Event()
    buyers = threading.Thread(target=_come_until, args=(load, switched))
    buyers.start()
    try:
        for functions, workflow in itertools.islice(itertools.cycle(reversed(MIXTURES)), SWITCHES):
            deployments.deploy(functions, workflow)
            seen = len(since())
            while len(since()) < seen + 2:
                switched.wait(0.02)
    finally:
        switched.set()
        buyers.join()
    cloud.wait_until_idle(timeout_seconds=120)

    executions = since()
    assert {one["status"] for one in executions} == {"SUCCEEDED"}, _failed(cloud, executions)
    assert {deployments.ages_of(one["executionArn"]) for one in executions} == set(MIXTURES)
    assert alerts() == []
    load.check()


def _come_until(load: Load, switched: threading.Event) -> None:
    while not switched.is_set():
        load.come(1)


def _failed(cloud: LocalCloud, executions: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(end.error, end.cause) for one in executions if (end := ended(cloud, one["executionArn"])).error]


@pytest.mark.parametrize("workflow", size(["new"], ["old", "new"]))
def test_new_functions_on_the_old_schema_say_so_at_once_and_nothing_is_lost(
    cloud: LocalCloud, deployments: Deployments, alerts: Alerts, since: Executions, workflow: Age
) -> None:
    load = Load(cloud, deployments.database)
    deployments.deploy("new", workflow)
    load.come(1)
    [refused] = [ended(cloud, one["executionArn"]) for one in since()]
    assert (refused.status, refused.error) == ("FAILED", "SchemaOutdated")
    assert refused.cause is not None
    assert "Run `cachao migrate`" in refused.cause
    assert [alert["MessageAttributes"]["error"]["Value"] for alert in alerts()] == ["SchemaOutdated"]
    deployments.migrate("new")
    [execution] = since()
    text = cloud.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])["input"]
    again = cloud.client("stepfunctions").start_execution(stateMachineArn=deployments.alias, input=text)
    assert ended(cloud, again["executionArn"]).status == "SUCCEEDED"
    load.check()


@pytest.mark.full
@pytest.mark.timeout(300)
def test_recorded_executions_of_the_version_before_end_alike_on_this_one(
    cloud: LocalCloud, deployments: Deployments, since: Executions
) -> None:
    database = deployments.database
    order = [row_of(database, "ticket_orders", create_order(database)) for _ in range(5)]
    recorded = [
        *events_of("paid", order[0]),
        *events_of("delayed", order[1]),
        *events_of("expired", order[2]),
        envelope("checkout.session.completed", session_of(order[3], amount_total=1)),
        envelope("checkout.session.completed", session_of(order[4], metadata={"order_id": "999999999"})),
        envelope("checkout.session.completed", {"id": 7}),
    ]
    for event in recorded:
        put(cloud, event)
        cloud.wait_until_idle(timeout_seconds=60)
    executions = since()
    before = [_end(cloud, one["executionArn"]) for one in executions]
    deployments.migrate("new")
    deployments.deploy("new", "new")
    client = cloud.client("stepfunctions")
    for one, end in zip(executions, before, strict=True):
        text = client.describe_execution(executionArn=one["executionArn"])["input"]
        again = client.start_execution(stateMachineArn=deployments.alias, input=text)["executionArn"]
        assert _end(cloud, again) == end, json.loads(text)["detail"]


def _end(cloud: LocalCloud, arn: str) -> tuple[str, str | None, str | None]:
    end = ended(cloud, arn)
    return end.status, end.error, end.output.get("result")
