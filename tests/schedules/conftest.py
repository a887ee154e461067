"""One laboratory for all tests of schedules, on a database of its own; what it did is said in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from local.database.mariadb import MariaDB
from tests.conftest import connect_to
from tests.schedules.laboratory import Laboratory
from ticketing.schema.runner import apply_migrations

_SAID: list[str] = []


@pytest.fixture(scope="session")
def lab(mariadb: MariaDB) -> Iterator[Laboratory]:
    name = f"{mariadb.name}_schedules"
    root = pymysql.connect(host=mariadb.host, port=mariadb.port, user="root", password=mariadb.password)
    with root.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    root.close()
    apply_migrations(connect_to(mariadb, name))
    laboratory = Laboratory(mariadb, name)
    yield laboratory
    laboratory.close()
    _SAID.append(f"Schedules: {laboratory.tally}.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _SAID:
        terminalreporter.write_line(line)
