"""`cachao doctor --watch`: what changes is told, once, and it ends as the last look says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cachao.aws.environment import Environment
from cachao.doctor import watching
from cachao.doctor.finding import Finding, fine, unknown
from cachao.doctor.watching import Changes, Look
from cachao.problems import Problem
from tests.operations.conftest import Cachao
from tests.operations.doctor.patients import Patient

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def between_looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Do these one after the other, in place of waiting; the last one is Ctrl-C."""

    def plan(*steps: Callable[[], object]) -> None:
        left = iter(steps)

        def instead_of_sleeping(_seconds: float) -> None:
            try:
                next(left)()
            except StopIteration:
                raise KeyboardInterrupt from None

        monkeypatch.setattr("cachao.doctor.watching.sleep", instead_of_sleeping)

    return plan


def disable(patient: Patient) -> None:
    patient.client("events").disable_rule(Name=patient.id("DefaultBusPaymentRule"))


def enable(patient: Patient) -> None:
    patient.client("events").enable_rule(Name=patient.id("DefaultBusPaymentRule"))


def test_what_breaks_and_is_mended_is_told_once(
    patient: Patient, cachao: Cachao, between_looks: Callable[..., None]
) -> None:
    between_looks(lambda: disable(patient), lambda: None, lambda: enable(patient))
    answer = cachao("doctor", "--watch")
    assert answer.exit_code == 0, answer.text
    first, _, rest = answer.text.partition("from here on only what changes.")
    assert "Nothing is broken." in first
    told = [line for line in rest.splitlines() if " UTC  " in line]
    assert ["broken: Rules" in told[0], "mended: Rules" in told[1], len(told)] == [True, True, 2], rest
    assert "(rule_disabled)" in told[0]
    assert "aws events enable-rule" in rest
    assert "No longer watched." in answer.notes


def test_it_ends_as_the_last_look_says_and_json_has_a_line_for_each(
    patient: Patient, cachao: Cachao, between_looks: Callable[..., None]
) -> None:
    between_looks(lambda: disable(patient))
    try:
        answer = cachao("doctor", "--watch", json=True)
    finally:
        enable(patient)
    assert answer.exit_code == 1
    first, second = (json.loads(line) for line in answer.text.splitlines())
    assert (first["broken"], second["broken"]) == (0, 1)
    assert {finding["state"] for finding in first["findings"]} >= {"fine"}
    [change] = second["changes"]
    assert (change["change"], change["finding"]["cause"]) == ("broken", "rule_disabled")


def test_a_deployment_meanwhile_is_seen(
    patient: Patient, cachao: Cachao, between_looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = Environment.client

    def client(environment: Environment, service: str) -> object:
        asked.append(service)
        return real(environment, service)

    monkeypatch.setattr(Environment, "client", client)
    monkeypatch.setattr(watching, "examine", lambda environment: [fine("Rules", environment.region)])
    between_looks(asked.clear)
    cachao("doctor", "--watch")
    assert asked == ["cloudformation"]


def test_a_stack_that_cannot_be_looked_at_any_more_ends_no_watch(
    patient: Patient, cachao: Cachao, between_looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> list[Finding]:
        raise Problem("AWS cannot be reached: no network.", exit_code=3)

    between_looks(lambda: monkeypatch.setattr(watching, "examine", away))
    answer = cachao("doctor", "--watch", "--every", "0.2")
    assert answer.exit_code == 5
    assert "cannot tell: Stripe secret: AWS cannot be reached" in answer.text


def test_it_looks_for_as_long_as_it_was_told(patient: Patient, cachao: Cachao) -> None:
    begun = time.monotonic()
    answer = cachao("doctor", "--watch", "--for", "0", json=True)
    assert (answer.exit_code, len(answer.text.splitlines())) == (0, 1)
    assert time.monotonic() - begun < 30
    assert cachao("doctor", "--for", "1").exit_code == 2


def look(*findings: Finding) -> Look:
    return Look(AT, list(findings))


def broken(says: str, cause: str = "dead_letters") -> Finding:
    return Finding("Targets and dead letters", "broken", says, cause)


def told(changes: Changes, *findings: Finding) -> list[str]:
    return [f"{change}: {finding.says}" for change, finding in changes.since_before(look(*findings))]


def test_other_figures_are_no_news() -> None:
    changes = Changes()
    assert told(changes, broken("3 events wait since 10 min.")) == ["broken: 3 events wait since 10 min."]
    assert told(changes, broken("4 events wait since 11 min.")) == []
    assert told(changes, broken("4 events wait."), broken("The queue is closed.", "queue_closed")) == [
        "broken: 4 events wait.",
        "broken: The queue is closed.",
        "mended: 4 events wait since 11 min.",
    ]


def test_what_cannot_be_looked_at_is_not_called_mended() -> None:
    changes = Changes()
    sick = broken("3 events wait.")
    changes.since_before(look(sick))
    assert told(changes, unknown(sick.link, "No permission.")) == ["cannot tell: No permission."]
    assert told(changes, sick) == ["can tell again: No permission."]
    assert told(changes, fine(sick.link, "The queue is empty.")) == ["mended: 3 events wait."]
