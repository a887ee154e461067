"""The control of the schedules: each guard of money and seats is taken away, and a schedule shows that it is gone."""

from __future__ import annotations

import pytest

from tests.schedules.laboratory import Laboratory
from tests.schedules.planted import Fault, changed_source, planted, read_faults
from tests.sizes import size

FAULTS = read_faults()
# In `make test` one of each sort.
CHOSEN = [fault for fault in FAULTS if fault.name in {
    "seats are held beyond the limit", "the seats' count does not lock its order", "a refund does not lock its order",
    "a count locks the ticket first", "two corrections lock tickets in their own orders",
    "counted seats are not marked", "a paid order expires", "money that went back pays",
}]  # fmt: skip


@pytest.mark.parametrize("fault", size(CHOSEN, FAULTS), ids=str)
@pytest.mark.timeout(300)
def test_a_schedule_shows_that_a_guard_is_missing(lab: Laboratory, fault: Fault) -> None:
    lab.world(fault.scenario.world)  # made while all is well
    with planted(fault):
        failure = lab.explore(fault.scenario, shortens=False)
    assert failure is not None, f"{fault.name}: no schedule of {fault.scenario} shows it"


def test_every_planted_fault_is_of_the_source_as_it_is() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 60
    for fault in FAULTS:
        compile(changed_source(fault), fault.module, "exec")
