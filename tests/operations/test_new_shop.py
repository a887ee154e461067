"""`cachao prepare-database` and `sample-shop`: the first two things that a new deployment needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.database.mariadb import MariaDB
from tests.factories import row_of
from tests.operations.conftest import Cachao
from tests.operations.connect.site import Site
from ticketing.database import Database
from ticketing.operators.sample_shop import NAME


@pytest.fixture
def _without_new_users(mariadb: MariaDB) -> Iterator[None]:
    yield
    with mariadb.connect(user="root") as root, root.cursor() as cursor:
        cursor.execute(f"DROP USER IF EXISTS '{mariadb.functions_user}'@'%'")


@pytest.mark.usefixtures("_without_new_users")
def test_the_database_is_prepared_by_the_function_that_reaches_it(cachao: Cachao, mariadb: MariaDB) -> None:
    answer = cachao("prepare-database", "--yes")
    assert answer.exit_code == 0, answer.notes
    assert f"The user {mariadb.functions_user} may SELECT" in answer.text
    assert mariadb.password not in answer.text + answer.notes
    with mariadb.connect(user="root") as root, root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM mysql.user WHERE user = %s AND host = '%%'", (mariadb.functions_user,))


def test_a_dry_run_makes_nothing(cachao: Cachao, mariadb: MariaDB) -> None:
    assert cachao("prepare-database", "--dry-run").exit_code == 0
    with mariadb.connect(user="root") as root, root.cursor() as cursor:
        cursor.execute("SELECT 1 FROM mysql.user WHERE user = %s AND host = '%%'", (mariadb.functions_user,))
        assert not cursor.fetchall()


def test_a_stack_without_an_administrator_says_what_to_do(cachao: Cachao, site: Site) -> None:
    site.parameters["DatabaseAdminSecretArn"] = ""
    answer = cachao("prepare-database", "--yes")
    assert answer.exit_code == 1
    assert "DatabaseAdminSecretArn" in answer.notes


def test_a_sample_can_be_bought_and_is_made_once(cachao: Cachao, database: Database) -> None:
    assert cachao("sample-shop", "--dry-run").exit_code == 0
    first = cachao("sample-shop", "--yes", json=True)
    assert first.exit_code == 0, first.notes
    again = cachao("sample-shop", "--yes", json=True)
    assert first.data == again.data | {"is_new": True}
    assert row_of(database, "events", first.data["event_id"])["name"] == NAME
    assert f"/tickets/{first.data['ticket_id']}/checkout" in first.data["checkout"]


def test_there_is_no_sample_where_one_sells_for_money(cachao: Cachao, site: Site) -> None:
    site.parameters["StripeLivemode"] = "true"
    answer = cachao("sample-shop", "--yes")
    assert answer.exit_code == 1
    assert "StripeLivemode" in answer.notes
