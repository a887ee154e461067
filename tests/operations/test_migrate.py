"""`cachao migrate` where the database takes its time, or hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cachao.problems import FunctionFailed
from cachao.view.output import Output
from local.aws.cloud import LocalCloud
from tests.operations.conftest import Cachao


@pytest.fixture
def hanging(cloud: LocalCloud) -> Iterator[threading.Event]:
    """MigrateDatabase does not answer until this is set."""
    goes_on = threading.Event()

    def hang(invocation: Any, proceed: Any) -> Any:
        if invocation.function.logical_id == "MigrateDatabaseFunction":
            goes_on.wait(30)
        return proceed(invocation)

    cloud.lambdas.interceptors.append(hang)
    yield goes_on
    goes_on.set()


def test_who_waits_is_told_so_and_for_how_long(
    cachao: Cachao, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachao.migrate._TELL_EVERY_SECONDS", 0.3)
    answer = cachao("migrate", "--wait", "3")
    assert answer.exit_code == 4
    assert "Still migrating after" in answer.notes
    assert "still runs after" in answer.notes
    assert "continues by itself" in answer.notes


def test_what_is_slow_is_waited_for(cachao: Cachao, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cachao.migrate._TELL_EVERY_SECONDS", 0.3)
    note = Output.note

    def go_on_once_told(output: Output, text: str) -> None:
        note(output, text)
        hanging.set()

    monkeypatch.setattr(Output, "note", go_on_once_told)
    answer = cachao("migrate", "--wait", "25")
    assert answer.exit_code == 0, answer.notes
    assert "Still migrating after" in answer.notes
    assert "there was nothing to do" in answer.text


def test_what_the_function_says_is_told(cachao: Cachao, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FunctionFailed("MigrateDatabaseFunction", "DatabaseUnavailable", "the database is away")

    monkeypatch.setattr("cachao.aws.environment.Environment.invoke", refuse)
    answer = cachao("migrate")
    assert answer.exit_code == 1
    assert "DatabaseUnavailable: the database is away" in answer.notes
