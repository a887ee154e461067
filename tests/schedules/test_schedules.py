"""No order of statements of two or three tasks breaks the books, sells a seat twice, or waits in a circle.

All scenarios in `make test-all` and `make schedules`; in `make test` those in which most has gone wrong so far.
"""

from __future__ import annotations

import itertools

import pytest

from tests.schedules import explore
from tests.schedules.laboratory import Laboratory, Scenario
from tests.schedules.scenarios import CHOSEN, CHOSEN_KILLS, everything, killed, with_kills
from tests.sizes import FULL, size


@pytest.mark.parametrize("scenario", size(CHOSEN, everything()), ids=str)
@pytest.mark.timeout(600)
def test_no_schedule_breaks_anything(lab: Laboratory, scenario: Scenario) -> None:
    failure = lab.explore(scenario, walks=size(0, 3), seed=len(str(scenario)))
    assert failure is None, str(failure)


def test_connections_that_end_anywhere_change_nothing(lab: Laboratory) -> None:
    chosen = itertools.chain.from_iterable(killed(lab, world, task) for world, task in CHOSEN_KILLS)
    for scenario in with_kills(lab) if FULL else chosen:
        failure = lab.explore(scenario)
        assert failure is None, str(failure)


# What schedules have found, so that it stays mended: what was answered then, and what must be.
def test_the_same_buyer_at_once_gets_one_checkout_and_no_refusal(lab: Laboratory) -> None:
    """The last seat went to his own first request, which the second came to know only at the seats: `sold_out`."""
    run = lab.runner(Scenario("told", ("back", "back")))(explore.given([0] * 7 + [1]))
    assert run.outcomes == ["order new", "order new"]
