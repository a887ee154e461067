"""The database and its users, as an administrator makes them on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection

from local.database.mariadb import MariaDB
from ticketing.errors import ConfigurationError, DatabaseUnavailable
from ticketing.schema.accounts import FUNCTION_RIGHTS, MIGRATION_RIGHTS, Account, prepare_database
from ticketing.schema.runner import apply_migrations

NAME = "new_shop-1"
FUNCTIONS = Account("new_functions", "one 'secret' \\ of \"many\"", FUNCTION_RIGHTS)
MIGRATIONS = Account("new_migrations", "another secret", MIGRATION_RIGHTS)


class Server:
    """The test's server, as its administrator sees it."""

    def __init__(self, mariadb: MariaDB) -> None:
        self._mariadb = mariadb

    def administrator(self) -> Connection[Any]:
        return self._mariadb.connect(user="root", database="mysql")

    def login(self, account: Account) -> Connection[Any]:
        return pymysql.connect(
            host=self._mariadb.host,
            port=self._mariadb.port,
            user=account.user,
            password=account.password.encode(),
            database=NAME,
        )

    def drop(self) -> None:
        root = self.administrator()
        root.query(f"DROP DATABASE IF EXISTS `{NAME}`")
        for account in (FUNCTIONS, MIGRATIONS):
            root.query(f"DROP USER IF EXISTS '{account.user}'@'%'")
        root.query("DROP USER IF EXISTS 'half_an_administrator'@'%'")
        root.close()


@pytest.fixture
def server(mariadb: MariaDB) -> Iterator[Server]:
    found = Server(mariadb)
    found.drop()
    yield found
    found.drop()


def prepare(server: Server, *accounts: Account, name: str = NAME) -> list[str]:
    return prepare_database(server.administrator, name, accounts or (FUNCTIONS, MIGRATIONS), require_tls=False)


def test_a_new_shop_can_be_migrated_and_used_by_its_two_users(server: Server) -> None:
    assert prepare(server)[0] == f"Made the database {NAME}."
    assert apply_migrations(lambda: server.login(MIGRATIONS))
    with server.login(FUNCTIONS) as functions, functions.cursor() as cursor:
        assert cursor.execute("SELECT COUNT(*) FROM ticket_orders") == 1
        with pytest.raises(pymysql.err.OperationalError, match="CREATE command denied"):
            cursor.execute("CREATE TABLE one (id INT)")


def test_it_may_be_repeated_and_takes_a_changed_password(server: Server) -> None:
    prepare(server)
    changed = Account(FUNCTIONS.user, "changed", FUNCTION_RIGHTS)
    assert len(prepare(server, changed, MIGRATIONS)) == 2
    server.login(changed).close()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        server.login(FUNCTIONS)


def test_one_user_for_both_gets_the_rights_of_both(server: Server) -> None:
    prepare(server, FUNCTIONS, Account(FUNCTIONS.user, FUNCTIONS.password, MIGRATION_RIGHTS))
    assert apply_migrations(lambda: server.login(FUNCTIONS))


def test_rights_end_at_the_name_of_the_database(server: Server) -> None:
    prepare(server)  # in a GRANT an unescaped _ of the name would stand for any character
    with server.administrator() as root, root.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{NAME.replace('_', 'x')}`")
        try:
            with server.login(FUNCTIONS) as functions, pytest.raises(pymysql.err.OperationalError, match="denied"):
                functions.select_db(NAME.replace("_", "x"))
        finally:
            cursor.execute(f"DROP DATABASE `{NAME.replace('_', 'x')}`")


def test_a_user_who_must_use_tls_is_refused_without(server: Server) -> None:
    prepare_database(server.administrator, NAME, [FUNCTIONS], require_tls=True)
    with server.administrator() as root, root.cursor() as cursor:
        cursor.execute("SHOW CREATE USER 'new_functions'@'%'")
        [[shown]] = cursor.fetchall()
    assert "REQUIRE SSL" in shown


def test_two_passwords_for_one_user_are_refused(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="two passwords"):
        prepare(server, FUNCTIONS, Account(FUNCTIONS.user, "other", MIGRATION_RIGHTS))


@pytest.mark.parametrize("name", ["", "a`b", "a.b", "a%b", "x" * 65])
def test_a_name_that_no_database_should_have_is_refused(server: Server, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        prepare(server, name=name)


def test_an_administrator_without_the_rights_is_told_so_without_the_passwords(server: Server, mariadb: MariaDB) -> None:
    root = server.administrator()
    root.query(f"CREATE USER 'half_an_administrator'@'%' IDENTIFIED BY '{mariadb.password}'")
    root.close()
    with pytest.raises(ConfigurationError, match=r"error 1\d{3}.*CREATE USER") as caught:
        prepare_database(
            lambda: pymysql.connect(
                host=mariadb.host, port=mariadb.port, user="half_an_administrator", password=mariadb.password
            ),
            NAME,
            [FUNCTIONS, MIGRATIONS],
            require_tls=False,
        )
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value)


def test_a_server_that_goes_away_may_be_tried_again(server: Server) -> None:
    connection = server.administrator()
    with server.administrator() as root, root.cursor() as cursor:
        cursor.execute("KILL %s", (connection.thread_id(),))  # type: ignore[no-untyped-call]
    with pytest.raises(DatabaseUnavailable):
        prepare_database(lambda: connection, NAME, [FUNCTIONS], require_tls=False)
