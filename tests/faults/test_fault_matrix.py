"""Every task of the workflow, and everything that can go wrong with it. The table is printed at the end."""

from __future__ import annotations

import pytest

from local.aws.cloud import LocalCloud
from tests.faults.faults import DATABASE_DOWN_FOR_SECONDS, FAILING_ATTEMPTS, FAULTS, Fault
from tests.faults.laboratory import RECOVERS, Laboratory
from tests.faults.table import Table
from tests.faults.tasks import LambdaTask, lambda_tasks

TASKS = lambda_tasks()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_scenario_reaches_the_task(cloud: LocalCloud, laboratory: Laboratory, task: LambdaTask) -> None:
    assert laboratory.scenario_for(task) is not None, f"add a scenario for {task.name} to tests/faults/scenarios.py"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_nothing_is_lost_and_nothing_is_done_twice(
    cloud: LocalCloud, laboratory: Laboratory, table: Table, task: LambdaTask, fault: Fault
) -> None:
    table.cells[fault.name, task.name] = "WRONG"
    table.cells[fault.name, task.name] = laboratory.examine(task, TASKS, fault)


def test_a_database_that_is_down_for_seconds_is_waited_for(
    cloud: LocalCloud, laboratory: Laboratory, table: Table
) -> None:
    fault, [task] = DATABASE_DOWN_FOR_SECONDS, [task for task in TASKS if task.name == "MarkOrderPaid"]
    table.cells[fault.name, task.name] = "WRONG"
    table.cells[fault.name, task.name] = laboratory.examine(task, TASKS, fault)
    assert table.cells[fault.name, task.name] == RECOVERS
    assert laboratory.stage.attempts > FAILING_ATTEMPTS, "the database was back too soon to show anything"
