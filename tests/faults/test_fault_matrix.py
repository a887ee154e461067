"""Every task of the workflow, and everything that can go wrong with it. The table is printed at the end.

`make test` takes every fault on one task, and every task under one fault at least; `make test-all` every cell.
"""

from __future__ import annotations

import pytest

from local.aws.cloud import LocalCloud
from tests.faults.faults import DATABASE_DOWN_FOR_SECONDS, FAILING_ATTEMPTS, FAULTS, Fault
from tests.faults.laboratory import CANNOT_HAPPEN, RECOVERS, Laboratory
from tests.faults.table import Table
from tests.faults.tasks import LambdaTask, lambda_tasks
from tests.sizes import size

TASKS = lambda_tasks()
# They write to the database in transactions, so that every fault can happen to them.
WRITERS = [task for task in TASKS if task.name in {"MarkOrderPaid", "CountTicketSale", "ReleaseOrder"}]


def chosen_cells() -> list[tuple[LambdaTask, Fault]]:
    """Every fault once: one that needs something of its task on a writer, the others round all tasks."""
    anywhere = [fault for fault in FAULTS if fault.needs is None]
    cells = [(WRITERS[number % len(WRITERS)], fault) for number, fault in enumerate(f for f in FAULTS if f.needs)]
    rounds = max(len(anywhere), len(TASKS))
    cells += [(TASKS[n % len(TASKS)], anywhere[n % len(anywhere)]) for n in range(rounds)]
    return cells


CELLS = size(chosen_cells(), [(task, fault) for task in TASKS for fault in FAULTS])


def test_every_fault_is_tried_and_every_task_is_under_one() -> None:
    chosen = chosen_cells()
    assert {fault.name for _, fault in chosen} == {fault.name for fault in FAULTS}
    assert {task.name for task, _ in chosen} == {task.name for task in TASKS}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_scenario_reaches_the_task(cloud: LocalCloud, laboratory: Laboratory, task: LambdaTask) -> None:
    assert laboratory.scenario_for(task) is not None, f"add a scenario for {task.name} to tests/faults/scenarios.py"


@pytest.mark.parametrize(("task", "fault"), CELLS, ids=lambda part: part.name)
def test_nothing_is_lost_and_nothing_is_done_twice(
    cloud: LocalCloud, laboratory: Laboratory, table: Table, task: LambdaTask, fault: Fault
) -> None:
    table.cells[fault.name, task.name] = "WRONG"
    table.cells[fault.name, task.name] = laboratory.examine(task, TASKS, fault)
    if (task, fault) in chosen_cells():
        assert table.cells[fault.name, task.name] != CANNOT_HAPPEN, "choose another task for this fault"


def test_a_database_that_is_down_for_seconds_is_waited_for(
    cloud: LocalCloud, laboratory: Laboratory, table: Table
) -> None:
    fault, [task] = DATABASE_DOWN_FOR_SECONDS, [task for task in TASKS if task.name == "MarkOrderPaid"]
    table.cells[fault.name, task.name] = "WRONG"
    table.cells[fault.name, task.name] = laboratory.examine(task, TASKS, fault)
    assert table.cells[fault.name, task.name] == RECOVERS
    assert laboratory.stage.attempts > FAILING_ATTEMPTS, "the database was back too soon to show anything"
