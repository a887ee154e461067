"""No order of statements of two or three tasks breaks the books, sells a seat twice, or waits in a circle.

All scenarios in `make test-all` and `make schedules`; in `make test` those in which most has gone wrong so far.
"""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest

from local.database.mariadb import MariaDB
from tests.schedules import explore
from tests.schedules.laboratory import Laboratory, Scenario
from tests.schedules.processes import run_all
from tests.schedules.scenarios import CHOSEN, CHOSEN_KILLS, killed


@pytest.mark.parametrize("scenario", CHOSEN, ids=str)
def test_no_schedule_breaks_anything(lab: Laboratory, scenario: Scenario) -> None:
    failure = lab.explore(scenario)
    assert failure is None, str(failure)


@pytest.mark.parametrize("scenario", CHOSEN_KILLS, ids=str)
def test_connections_that_end_change_nothing(lab: Laboratory, scenario: Scenario) -> None:
    for variant in killed(lab, scenario):
        failure = lab.explore(variant)
        assert failure is None, str(failure)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_no_schedule_of_any_scenario_breaks_anything() -> None:
    """It prints what broke, and the command that shows it again."""
    assert run_all(2, walks=3) == 0


@pytest.mark.timeout(30)
def test_ctrl_c_in_the_middle_of_a_schedule_ends_it(mariadb: MariaDB, lab: Laboratory) -> None:
    """Tasks that stood at their gates were joined for ever."""
    interrupted = Laboratory(mariadb, lab.database_name)
    arrivals = interrupted.scheduler.arrivals
    is_pressed = iter([False, False, False, True])

    def get(timeout: float) -> object:
        arrived = arrivals.get(timeout=timeout)
        if next(is_pressed):
            raise KeyboardInterrupt
        return arrived

    pressing = mock.patch.object(interrupted.scheduler, "arrivals", SimpleNamespace(put=arrivals.put, get=get))
    with pressing, pytest.raises(KeyboardInterrupt):
        interrupted.runner(Scenario("told", ("payment", "expired")))(lambda _events, enabled: min(enabled))
    interrupted.close()


# What schedules have found, so that it stays mended: what was answered then, and what must be.
def test_the_same_buyer_at_once_gets_one_checkout_and_no_refusal(lab: Laboratory) -> None:
    """The last seat went to his own first request, which the second came to know only at the seats: `sold_out`."""
    run = lab.runner(Scenario("told", ("back", "back")))(explore.given([0] * 7 + [1]))
    assert run.outcomes == ["order new", "order new"]
