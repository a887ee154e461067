"""Mutated events against the workflow's functions on a real database, and a sample of them through the real machine.

FUZZ_COUNT says how many (1,000 in `make test`, 10,000 in `make test-all`), FUZZ_SEED repeats a run: both are printed.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from tests.conftest import Connect
from tests.faults.rows import Rows, read_rows
from tests.fuzz import machine, oracle, world
from tests.fuzz.log_guard import LogGuard, everything_logged_to, personal_texts
from tests.fuzz.mutations import mutate
from tests.sizes import size
from tests.workflow.conftest import ended
from ticketing.database import Database

# After so many events the world is made anew, so that orders in every state are met again.
_WORLD_LASTS = 200
_THROUGH_THE_MACHINE = size(20, 100)
_LARGEST_INPUT = 200_000


def _rows(database: Database) -> Rows:
    return read_rows(database, {})


class _Mutants:
    """Makes events: mutated ones, and one in twenty as it was."""

    def __init__(self, connect: Connect, database: Database, chance: random.Random) -> None:
        world.build(connect, database)
        self.seeds = world.sample_envelopes() + world.world_envelopes(database)
        self._chance = chance

    def next(self) -> Any:
        seed = self._chance.choice(self.seeds)
        return seed if self._chance.random() < 0.05 else mutate(seed, self._chance, world.WORDS)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_event_breaks_anything(
    functions: None,
    connect: Connect,
    database: Database,
    chance: random.Random,
    fuzz_count: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mutants = _Mutants(connect, database, chance)
    guard = LogGuard(personal_texts(mutants.seeds))
    before, results = _rows(database), Counter[str]()
    for number in range(fuzz_count):
        if number % _WORLD_LASTS == 0:
            world.build(connect, database)
            before = _rows(database)
        event = mutants.next()
        try:
            with everything_logged_to(guard), contextlib.redirect_stdout(guard):
                result = machine.run(event)
            results[result.name] += 1
            guard.check()
            # Without a reading nothing has been near the database; the next one's comparison would show it.
            if result.payment is not None and result.payment["outcome"] != "ignored":
                after = _rows(database)
                oracle.check_change(before, after, oracle.order_of(event, before))
                before = after
        except Exception as error:
            error.add_note(f"event {number}: {json.dumps(event)[:6000]}")
            raise
    with capsys.disabled():
        print(f"{fuzz_count} events, {guard.lines} log lines: {dict(results.most_common())}")
    assert len(results) >= 10, "mutations that always end the same way test nothing"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_real_machine_takes_the_same_ways(
    cloud: LocalCloud, functions: None, connect: Connect, database: Database, chance: random.Random
) -> None:
    mutants = _Mutants(connect, database, chance)
    sample = _varied(mutants, connect, database)
    for event in sample:
        world.build(connect, database)
        here, here_rows = machine.run(event), _rows(database)
        world.build(connect, database)
        there = _through_the_machine(cloud, event)
        assert there == (here.status, here.name), json.dumps(event)[:6000]
        assert _rows(database) == here_rows, json.dumps(event)[:6000]


def _varied(mutants: _Mutants, connect: Connect, database: Database) -> list[Any]:
    """Give events that end in as many ways as there are, rather than a hundred malformed ones."""
    chosen: list[Any] = []
    of_each: Counter[str] = Counter()
    for number in range(10 * _THROUGH_THE_MACHINE):
        if number % 50 == 0:
            world.build(connect, database)
        event = mutants.next()
        name = machine.run(event).name
        if of_each[name] < max(2, _THROUGH_THE_MACHINE // 10) and len(json.dumps(event)) < _LARGEST_INPUT:
            of_each[name] += 1
            chosen.append(event)
    return chosen[:_THROUGH_THE_MACHINE]


def _through_the_machine(cloud: LocalCloud, event: Any) -> tuple[str, str]:
    arn = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.deployment.outputs["StateMachineArn"], input=json.dumps(event)
    )["executionArn"]
    execution = ended(cloud, arn)
    return execution.status, execution.error or execution.output["result"]


def test_the_seed_repeats_a_run() -> None:
    def mutants() -> str:
        chance = random.Random(7)
        return repr([mutate(seed, chance, world.WORDS) for seed in world.sample_envelopes()])

    assert mutants() == mutants()
