"""Transactions that either commit or did not happen, whatever becomes of the connection."""

# ruff: noqa: PT012 -- a transaction that fails is a block of several statements

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pymysql
import pytest
from pymysql.constants import CR, ER

from local.database.mariadb import MariaDB
from tests.conftest import Connect, connect_to
from tests.factories import create_event, row_of
from ticketing.database import FOR_REQUESTS, Database, Finish, Statement, Transaction, is_passing
from ticketing.errors import DatabaseUnavailable, OrderNotFound


def connection_id(database: Database) -> int:
    with database.transaction() as tx:
        row = tx.one("SELECT CONNECTION_ID() AS id")
    assert row is not None
    return int(row["id"])


def id_of(tx: Transaction) -> int:
    row = tx.one("SELECT CONNECTION_ID() AS id")
    assert row is not None
    return int(row["id"])


@pytest.fixture
def kill(mariadb: MariaDB) -> Iterator[Callable[[int], None]]:
    """End a connection from outside, and wait until the server has done so."""
    root = mariadb.connect(user="root", database="mysql")

    def end(connection: int) -> None:
        with root.cursor() as cursor:
            cursor.execute("KILL %s", (connection,))
            deadline = time.monotonic() + 5
            while cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (connection,)):
                assert time.monotonic() < deadline
                time.sleep(0.01)

    yield end
    root.close()


@pytest.fixture
def event_id(database: Database) -> int:
    return create_event(database, name="before")


def rename(tx: Transaction, event_id: int, name: str) -> int:
    return tx.change("UPDATE events SET name = %s WHERE id = %s", name, event_id)


# --- The ordinary -----------------------------------------------------------------------------------------------------


def test_what_is_committed_is_there(database: Database, event_id: int) -> None:
    with database.transaction() as tx:
        assert rename(tx, event_id, "after") == 1
        assert tx.change("DELETE FROM events WHERE id = 0") == 0
    with database.transaction() as tx:
        assert tx.one("SELECT name FROM events WHERE id = %s", event_id) == {"name": "after"}
        assert tx.one("SELECT name FROM events WHERE id = 0") is None
        assert tx.all("SELECT name FROM events") == [{"name": "after"}]


def renaming(event_id: int, name: str) -> Statement:
    return Statement("UPDATE events SET name = %s WHERE id = %s", name, event_id)


def names(database: Database) -> list[str]:
    with database.transaction() as tx:
        return [row["name"] for row in tx.all("SELECT name FROM events ORDER BY id")]


def test_a_block_commits_what_it_changed_and_says_which_id_a_row_got(database: Database, event_id: int) -> None:
    new = Statement("INSERT INTO events (name) VALUES (%s)", "new; -- %s ' COMMIT;")
    last = Statement("UPDATE events SET name = CONCAT(name, %s) WHERE id = LAST_INSERT_ID()", "!")
    with database.transaction() as tx:
        assert rename(tx, event_id, "between") == 1
        finish = tx.finish([renaming(event_id, "after"), new, last], [renaming(0, "nobody")])
    assert finish == Finish(committed=True, changed=3, new_id=event_id + 1)
    assert names(database) == ["after", "new; -- %s ' COMMIT;!"]


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_a_block_of_which_one_statement_changes_nothing_is_rolled_back_with_all_before_it(
    database: Database, event_id: int, refused: int
) -> None:
    guarded = [renaming(event_id, f"after {number}") for number in range(3)]
    guarded[refused] = renaming(0, "nobody")
    with database.transaction() as tx:
        rename(tx, event_id, "between")
        finish = tx.finish(guarded, [renaming(event_id, "others")])
    assert finish == Finish(committed=False, changed=refused, new_id=0)
    assert names(database) == ["before"]


def test_a_block_that_changes_two_rows_where_it_should_change_one_is_rolled_back(
    database: Database, event_id: int
) -> None:
    create_event(database, name="another")
    with database.transaction() as tx:
        finish = tx.finish([Statement("UPDATE events SET name = 'both'")])
    assert finish == Finish(committed=False, changed=0, new_id=0)
    assert names(database) == ["before", "another"]


def test_an_error_in_a_block_undoes_the_transaction(database: Database, event_id: int) -> None:
    with pytest.raises(pymysql.err.MySQLError, match="Duplicate"), database.transaction() as tx:
        rename(tx, event_id, "between")
        tx.finish([renaming(event_id, "after"), Statement("INSERT INTO events (id, name) VALUES (%s, '')", event_id)])
    assert names(database) == ["before"]


def test_nothing_follows_a_block(database: Database, event_id: int) -> None:
    with pytest.raises(RuntimeError, match="has ended"), database.transaction() as tx:
        assert tx.finish([renaming(event_id, "after")]).committed
        rename(tx, event_id, "later")
    assert names(database) == ["after"]


def test_parameters_are_never_text_of_the_statement(database: Database, event_id: int) -> None:
    name = "x'; DROP TABLE events; -- %s"
    with database.transaction() as tx:
        rename(tx, event_id, name)
    assert row_of(database, "events", event_id)["name"] == name


@pytest.mark.parametrize("error", [OrderNotFound("There is no order."), ValueError("A bug."), KeyboardInterrupt()])
def test_any_exception_rolls_back_and_comes_through(database: Database, event_id: int, error: BaseException) -> None:
    before = connection_id(database)
    with pytest.raises(type(error)), database.transaction() as tx:
        rename(tx, event_id, "after")
        raise error
    assert row_of(database, "events", event_id)["name"] == "before"
    assert connection_id(database) == before, "nothing is wrong with the connection"


def test_an_error_in_a_statement_is_no_database_that_is_away(database: Database, event_id: int) -> None:
    with pytest.raises(pymysql.err.ProgrammingError), database.transaction() as tx:
        rename(tx, event_id, "after")
        tx.all("SELECT FROM nothing")
    assert row_of(database, "events", event_id)["name"] == "before"


def test_the_session_is_as_the_shop_wants_it(database: Database) -> None:
    with database.transaction() as tx:
        row = tx.one("SELECT @@time_zone AS zone, @@tx_isolation AS isolation, @@innodb_lock_wait_timeout AS seconds")
        rest = tx.one("SELECT @@wait_timeout AS seconds")
    assert row == {"zone": "+00:00", "isolation": "READ-COMMITTED", "seconds": 5}
    assert rest == {"seconds": 60}


def test_the_connection_is_kept_until_it_is_closed(database: Database) -> None:
    first = connection_id(database)
    assert connection_id(database) == first
    database.close()
    database.close()
    assert connection_id(database) != first


# --- Locks -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(connect: Connect, *event_ids: int) -> Iterator[None]:
    """Keep rows locked by somebody else."""
    other = connect()
    with other.cursor() as cursor:
        for event_id in event_ids:
            cursor.execute("SELECT id FROM events WHERE id = %s FOR UPDATE", (event_id,))
        yield
    other.rollback()


def test_a_lock_wait_undoes_the_whole_transaction(connect: Connect, database: Database, event_id: int) -> None:
    other_event = create_event(database, name="locked")
    before = connection_id(database)
    with (
        locked(connect, other_event),
        pytest.raises(DatabaseUnavailable, match=f"error {ER.LOCK_WAIT_TIMEOUT}"),
        database.transaction() as tx,
    ):
        tx.change("SET SESSION innodb_lock_wait_timeout = 1")
        rename(tx, event_id, "after")
        rename(tx, other_event, "after")
    # InnoDB alone would have undone the second statement only.
    assert row_of(database, "events", event_id)["name"] == "before"
    assert connection_id(database) != before


def test_a_deadlock_undoes_one_and_lets_the_other_go_on(connect: Connect, event_id: int) -> None:
    first, second = Database(connect), Database(connect)
    other_event = create_event(first, name="before")
    both_hold_one = threading.Barrier(2, timeout=10)
    outcomes: dict[str, BaseException | None] = {}

    def change_both(name: str, database: Database, here: int, there: int) -> None:
        try:
            with database.transaction() as tx:
                rename(tx, here, name)
                both_hold_one.wait()
                rename(tx, there, name)
            outcomes[name] = None
        except DatabaseUnavailable as error:
            outcomes[name] = error

    threads = [
        threading.Thread(target=change_both, args=("one", first, event_id, other_event)),
        threading.Thread(target=change_both, args=("two", second, other_event, event_id)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    [(winner, _)] = [item for item in outcomes.items() if item[1] is None]
    [(_, refusal)] = [item for item in outcomes.items() if item[1] is not None]
    assert f"error {ER.LOCK_DEADLOCK}" in str(refusal)
    assert {row_of(first, "events", event_id)["name"], row_of(first, "events", other_event)["name"]} == {winner}


# --- Connections that end ---------------------------------------------------------------------------------------------


def test_killed_between_two_statements(database: Database, kill: Callable[[int], None], event_id: int) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as tx:
        rename(tx, event_id, "after")
        killed = id_of(tx)
        kill(killed)
        tx.one("SELECT 1")
    assert row_of(database, "events", event_id)["name"] == "before"
    assert connection_id(database) != killed


def test_killed_before_the_commit(database: Database, kill: Callable[[int], None], event_id: int) -> None:
    with pytest.raises(DatabaseUnavailable, match="could not finish the transaction"), database.transaction() as tx:
        rename(tx, event_id, "after")
        kill(id_of(tx))
    assert row_of(database, "events", event_id)["name"] == "before"


def test_killed_and_then_an_error_of_our_own(database: Database, kill: Callable[[int], None], event_id: int) -> None:
    with pytest.raises(OrderNotFound), database.transaction() as tx:
        rename(tx, event_id, "after")
        kill(id_of(tx))
        raise OrderNotFound("There is no order.")
    assert row_of(database, "events", event_id)["name"] == "before"


def _kill_when_it_updates(root: pymysql.Connection[pymysql.cursors.Cursor], number: int) -> None:
    with root.cursor() as cursor:
        for _ in range(1000):
            cursor.execute("SELECT state FROM information_schema.processlist WHERE id = %s", (number,))
            if cursor.fetchone() == ("Updating",):
                break
            time.sleep(0.01)
        cursor.execute(f"KILL QUERY {number}")


def test_killed_while_a_statement_waits(connect: Connect, database: Database, mariadb: MariaDB, event_id: int) -> None:
    root = mariadb.connect(user="root", database="mysql")
    with locked(connect, event_id), pytest.raises(DatabaseUnavailable), database.transaction() as tx:
        number = id_of(tx)
        killer = threading.Thread(target=_kill_when_it_updates, args=(root, number))
        killer.start()
        rename(tx, event_id, "after")
    killer.join()
    root.close()
    assert row_of(database, "events", event_id)["name"] == "before"


def test_killed_at_rest_is_noticed_before_it_is_used(database: Database, kill: Callable[[int], None]) -> None:
    killed = connection_id(database)
    kill(killed)
    database._last_used -= 60  # as if a minute had passed
    assert connection_id(database) != killed


def test_killed_at_rest_a_moment_ago_costs_one_retry(database: Database, kill: Callable[[int], None]) -> None:
    kill(connection_id(database))
    with pytest.raises(DatabaseUnavailable):
        connection_id(database)
    connection_id(database)


@pytest.mark.parametrize("rested", [True, False])
def test_a_server_that_hangs_is_given_up_soon(
    connect: Connect, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch, *, rested: bool
) -> None:
    """It takes connections and says nothing; a rested connection is asked first, and then a new one is opened."""
    monkeypatch.setattr("ticketing.database._PING_SECONDS", 0.2)
    monkeypatch.setattr("ticketing.database._CONNECT_SECONDS", 0.2)
    database = Database(connect)
    if rested:
        connection_id(database)
        database._last_used -= 60
    began = time.monotonic()
    with stopped(mariadb), pytest.raises(DatabaseUnavailable):
        connection_id(database)
    assert time.monotonic() - began < FOR_REQUESTS.answer / 2
    connection_id(database)


def test_a_new_connection_waits_for_answers_as_long_as_it_should(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.one("SELECT SLEEP(0.01) AS slept") == {"slept": 0}
    assert database._connection is not None
    assert database._connection._read_timeout == FOR_REQUESTS.answer  # type: ignore[attr-defined]
    database._last_used -= 60
    connection_id(database)
    assert database._connection._read_timeout == FOR_REQUESTS.answer  # type: ignore[attr-defined]


@contextlib.contextmanager
def stopped(server: MariaDB) -> Iterator[None]:
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


def test_a_connection_that_lives_is_kept_after_a_rest(database: Database) -> None:
    first = connection_id(database)
    database._last_used -= 60
    assert connection_id(database) == first


# --- Connections that are not made ------------------------------------------------------------------------------------


def test_a_server_that_is_away(mariadb: MariaDB) -> None:
    away = Database(_connector(mariadb, port=1))
    with pytest.raises(DatabaseUnavailable, match=str(CR.CR_CONN_HOST_ERROR)):
        connection_id(away)


def test_a_name_that_is_not_known(mariadb: MariaDB) -> None:
    with pytest.raises(DatabaseUnavailable, match=str(CR.CR_CONN_HOST_ERROR)):
        connection_id(Database(_connector(mariadb, host="nowhere.invalid")))


def test_a_wrong_password_cannot_pass(mariadb: MariaDB) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        connection_id(Database(_connector(mariadb, password="wrong")))
    assert caught.value.args[0] == ER.ACCESS_DENIED_ERROR


def test_too_many_connections(mariadb: MariaDB) -> None:
    root = mariadb.connect(user="root", database="mysql")
    taken: list[pymysql.Connection[pymysql.cursors.Cursor]] = []
    try:
        root.query("SET @usual = @@GLOBAL.max_connections")
        root.query("SET GLOBAL max_connections = 10")
        with contextlib.suppress(pymysql.err.OperationalError):
            while len(taken) < 20:
                taken.append(mariadb.connect())
        with pytest.raises(DatabaseUnavailable, match=f"error {ER.CON_COUNT_ERROR}"):
            connection_id(Database(connect_to(mariadb, mariadb.name)))
    finally:
        root.query("SET GLOBAL max_connections = @usual")
        for connection in [*taken, root]:
            connection.close()


def _connector(server: MariaDB, **other: object) -> Connect:
    from ticketing.database import connector  # noqa: PLC0415 -- beside its only use

    return connector(**{**asdict(server.address), **other}, ca_file=None)


# --- Which errors may pass ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (pymysql.err.OperationalError(ER.LOCK_DEADLOCK, "x"), True),
        (pymysql.err.OperationalError(ER.LOCK_WAIT_TIMEOUT, "x"), True),
        (pymysql.err.OperationalError(CR.CR_SERVER_LOST, "x"), True),
        (pymysql.err.OperationalError(CR.CR_SERVER_GONE_ERROR, "x"), True),
        (pymysql.err.OperationalError(ER.SERVER_SHUTDOWN, "x"), True),
        # A failover under way: the old primary takes no writes any more.
        (pymysql.err.OperationalError(ER.OPTION_PREVENTS_STATEMENT, "x"), True),
        (pymysql.err.OperationalError(1969, "x"), True),
        # A bug, or an older schema, which a worker asks about by itself.
        (pymysql.err.ProgrammingError(ER.NO_SUCH_TABLE, "x"), False),
        (pymysql.err.OperationalError(ER.BAD_FIELD_ERROR, "x"), False),
        (pymysql.err.OperationalError(1129, "x"), True),
        (pymysql.err.OperationalError(1047, "x"), True),
        (pymysql.err.OperationalError(1836, "x"), True),
        (pymysql.err.OperationalError(1021, "x"), True),
        (pymysql.err.OperationalError(1114, "x"), True),
        (pymysql.err.OperationalError(1020, "x"), True),
        (pymysql.err.InterfaceError(0, ""), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (pymysql.err.OperationalError(ER.ACCESS_DENIED_ERROR, "x"), False),
        (pymysql.err.ProgrammingError(ER.PARSE_ERROR, "x"), False),
        (pymysql.err.IntegrityError(ER.DUP_ENTRY, "x"), False),
        (pymysql.err.DataError(ER.DATA_TOO_LONG, "x"), False),
        (pymysql.err.MySQLError(), False),
        (ValueError("x"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_which_errors_may_pass(error: BaseException, passes: bool) -> None:
    assert is_passing(error) is passes


def test_an_error_of_the_network_is_described(event_id: int, database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="ConnectionResetError: the line is dead"), database.transaction():
        raise ConnectionResetError("the line is dead")
