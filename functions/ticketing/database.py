"""One MariaDB connection, kept between calls, and transactions that either commit or did not happen.

InnoDB undoes a whole transaction on a deadlock (1213) but only one statement on a lock-wait timeout (1205), and
after a connection is lost during COMMIT nobody knows what happened. So on any doubt the connection is rolled back
and dropped, and the caller is told `DatabaseUnavailable`: every effect of this shop is guarded, trying again is
always safe. See docs/rules.md, "Failures", and
https://mariadb.com/kb/en/innodb-lock-modes/ and https://peps.python.org/pep-0249/.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, ER, FIELD_TYPE
from pymysql.converters import conversions
from pymysql.cursors import DictCursor

from ticketing.errors import ConfigurationError, DatabaseUnavailable

Row = dict[str, Any]

# ER_STATEMENT_TIMEOUT, MariaDB's own: `max_statement_time` was over.
_STATEMENT_TIMEOUT = 1969
# Server errors that may pass: lock-wait timeout, deadlock, too many connections (overall and per user), shutdown,
# killed connection or statement, read-only primary (a failover under way), aborted connection, full disk.
_PASSING_SERVER_ERRORS = frozenset(
    {
        ER.LOCK_WAIT_TIMEOUT,
        ER.LOCK_DEADLOCK,
        ER.CON_COUNT_ERROR,
        ER.TOO_MANY_USER_CONNECTIONS,
        ER.USER_LIMIT_REACHED,
        ER.SERVER_SHUTDOWN,
        ER.QUERY_INTERRUPTED,
        ER.OPTION_PREVENTS_STATEMENT,
        ER.NEW_ABORTING_CONNECTION,
        1927,  # ER_CONNECTION_KILLED, MariaDB's own
        _STATEMENT_TIMEOUT,
        ER.NET_READ_ERROR,
        ER.NET_READ_INTERRUPTED,
        ER.NET_ERROR_ON_WRITE,
        ER.NET_WRITE_INTERRUPTED,
        1129,  # ER_HOST_IS_BLOCKED: too many broken connections from here; an operator flushes the hosts
        1047,  # ER_UNKNOWN_COM_ERROR: a Galera node that has not (or no longer) joined its cluster answers so
        1836,  # ER_READ_ONLY_MODE: the server or the table is read-only, e.g. while it is being repaired
        ER.DISK_FULL,
        ER.RECORD_FILE_FULL,  # the table's or the temporary files' space is full
        ER.CHECKREAD,  # a row changed since it was read, under 11.8's snapshot isolation
    }
)
# A statement names a column or a table that is not there: a bug, or an older schema than this version's.
_UNKNOWN_NAMES = frozenset({ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE})
# ER_BINLOG_STMT_MODE_AND_ROW_ENGINE: what is written under READ COMMITTED cannot be logged as a statement.
_STATEMENT_NOT_LOGGED = 1665
LOGS_STATEMENTS = (
    "The server logs statements (binlog_format = STATEMENT), and so refuses each write of the shop with error 1665. Set"
    " binlog_format = MIXED or ROW in its configuration (on RDS in the parameter group), and let the functions connect"
    " anew."
)
# Client errors have a range of numbers of their own; all of them mean that the connection is gone.
_CLIENT_ERRORS = range(CR.CR_ERROR_FIRST, CR.CR_ERROR_LAST + 1)

# A connection that has rested longer than this is asked whether it still lives before it is used: a firewall or
# the server's wait_timeout may have closed it. One round trip, and only after a pause.
_IDLE_SECONDS_BEFORE_PING = 20.0
# For that answer, and then for a new connection and the server's greeting. A server that hangs takes connections and
# says nothing: whoever finds it so must say so before the function's own time-out does.
_PING_SECONDS = 2.0
_CONNECT_SECONDS = 4


@dataclass(frozen=True)
class Timeouts:
    """How long connections wait, in seconds.

    Attributes:
        answer: for the answer to a statement. Longer than the locks', so that the server answers first.
        row_lock: for a row that another transaction has locked.
        table_lock: for a table that another connection changes, or, to change it, for those that use it. Whatever
            comes behind a waiting change of a table waits with it, so this is short for migrations, too.
        rest: between two statements, before the server drops the connection.
    """

    answer: int
    row_lock: int
    table_lock: int
    rest: int


# Together with the connect time-out shorter than the functions' own time-out in template.yaml. Idle functions stay for
# hours; the server need not keep their connections so long (they are tried before use).
FOR_REQUESTS = Timeouts(answer=8, row_lock=5, table_lock=5, rest=60)
# Shorter than the migration function's time-out: an index on a large table takes its time.
FOR_MIGRATIONS = Timeouts(answer=880, row_lock=10, table_lock=10, rest=900)
# Shorter than the time-out of the function that adds up all orders. It waits for locks no longer than others.
FOR_SUMS = Timeouts(answer=50, row_lock=5, table_lock=5, rest=90)
# Whatever the server's is: what does not fit is an error and not cut, quotes mean what they mean here. Zero dates stay
# allowed, as live tables have them.
_SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"
# Each statement sees what is committed: the guards are in the statements themselves, and the gap locks of
# REPEATABLE READ would only add deadlocks.
_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


def is_passing(error: BaseException) -> bool:
    """Tell whether a database error may pass when the transaction is tried again on a new connection."""
    if isinstance(error, pymysql.err.InterfaceError):
        return True  # pymysql: the connection was closed under us
    if isinstance(error, pymysql.err.MySQLError):
        code = error.args[0] if error.args else 0
        return code in _PASSING_SERVER_ERRORS or code in _CLIENT_ERRORS
    return isinstance(error, OSError)


def took_too_long(error: DatabaseUnavailable) -> bool:
    """Tell whether the server ended a statement that ran for longer than it was given (`max_statement_time`)."""
    cause = error.__cause__
    return isinstance(cause, pymysql.err.MySQLError) and cause.args[:1] == (_STATEMENT_TIMEOUT,)


def _is_unknown_name(error: BaseException) -> bool:
    return isinstance(error, pymysql.err.MySQLError) and bool(error.args) and error.args[0] in _UNKNOWN_NAMES


def _is_refused_by_log(error: BaseException) -> bool:
    return isinstance(error, pymysql.err.MySQLError) and error.args[:1] == (_STATEMENT_NOT_LOGGED,)


class Statement:
    """An INSERT, UPDATE or DELETE that is not sent yet, and its parameters."""

    def __init__(self, sql: str, *parameters: object) -> None:
        """Take the text, with `%s` for each parameter."""
        self.sql = sql
        self.parameters = parameters


@dataclass(frozen=True)
class Finish:
    """How a transaction ended (`Transaction.finish`).

    Attributes:
        committed: whether it was committed; otherwise it was rolled back.
        changed: how many of the guarded statements changed their row.
        new_id: the id that an INSERT among them got (AUTO_INCREMENT); 0 where it was rolled back.
    """

    committed: bool
    changed: int
    new_id: int


class Transaction:
    """The statements of one transaction.

    Rows are dictionaries, times UTC without a zone, money Decimal; a zero date is None.
    """

    def __init__(self, cursor: DictCursor) -> None:
        """Wrap a cursor; made by `Database.transaction` only."""
        self._cursor = cursor
        self.has_ended = False

    def one(self, sql: str, *parameters: object) -> Row | None:
        """Run a SELECT and give its first row, or None."""
        self._execute(sql, parameters)
        return self._cursor.fetchone()

    def all(self, sql: str, *parameters: object) -> list[Row]:
        """Run a SELECT and give all its rows."""
        self._execute(sql, parameters)
        return list(self._cursor.fetchall())

    def insert(self, sql: str, *parameters: object) -> int:
        """Run an INSERT of one row and give the id that it got (AUTO_INCREMENT)."""
        # From the answer to the INSERT itself; RETURNING would send a whole result set to be read.
        self._execute(sql, parameters)
        return self._cursor.lastrowid

    def change(self, sql: str, *parameters: object) -> int:
        """Run an INSERT, UPDATE or DELETE and give the number of rows that it changed."""
        return self._execute(sql, parameters)

    def send(self, statement: Statement) -> int:
        """Run a statement and give the number of rows that it changed."""
        return self._execute(statement.sql, statement.parameters)

    def finish(self, guarded: Sequence[Statement], others: Sequence[Statement] = ()) -> Finish:
        """End the transaction with these statements, in one round trip, so that its locks are short.

        The server runs one after the other. Each of `guarded` must change exactly one row: at the first that does not
        all is rolled back; `others` come after them, whatever they change, and then COMMIT. `LAST_INSERT_ID()` in a
        statement is the id of the row that one before it inserted. No statement may follow.
        """
        rows = self.send(_block(guarded, others))
        self.has_ended = True
        # Only what was committed is followed by a SELECT: nothing can fail behind it.
        committed = self._cursor.fetchone() if self._cursor.description else None
        if committed is None:
            return Finish(committed=False, changed=min(rows, len(guarded) - 1), new_id=0)
        self._cursor.nextset()
        return Finish(committed=True, changed=len(guarded), new_id=int(committed["new_id"]))

    def _execute(self, sql: str, parameters: tuple[object, ...]) -> int:
        if self.has_ended:
            raise RuntimeError("The transaction has ended.")
        return self._cursor.execute(sql, parameters)


def _block(guarded: Sequence[Statement], others: Sequence[Statement]) -> Statement:
    # https://mariadb.com/kb/en/begin-end/: BEGIN NOT ATOMIC is a block outside of a stored program. An error leaves it.
    checked = "".join(f"{each.sql}; IF ROW_COUNT() = 1 THEN " for each in guarded)
    unchecked = "".join(f"{each.sql}; " for each in others)
    ends = "ELSE ROLLBACK; END IF; " * len(guarded)
    return Statement(
        f"BEGIN NOT ATOMIC {checked}{unchecked}COMMIT; SELECT LAST_INSERT_ID() AS new_id; {ends}END",
        *(parameter for each in (*guarded, *others) for parameter in each.parameters),
    )


class Database:
    """A connection that is opened when first needed, kept, and dropped whenever its state is in doubt.

    Not for use by two threads at once: a Lambda handles one invocation at a time.
    """

    def __init__(
        self,
        connect: Callable[[], Connection[DictCursor]],
        *,
        check: Callable[[DictCursor], None] | None = None,
    ) -> None:
        """Take the function that opens a connection (see `connector`).

        `check` is asked at the first transaction, and until it has passed, whether the database is fit for this
        version; it raises where it is not (`schema.version.require_current_schema`).
        """
        self._connect = connect
        self._check = check
        self._checked = False
        self._connection: Connection[DictCursor] | None = None
        self._last_used = 0.0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run the block's statements as one transaction: COMMIT at its end, ROLLBACK on any exception.

        Raises:
            DatabaseUnavailable: the database is away, too slow, or undid the transaction; also when the
                connection was lost during COMMIT, so that the transaction may have happened.
            SchemaOutdated: the database lacks a migration of this version.
            ConfigurationError: the server refuses every write (`LOGS_STATEMENTS`).
        """
        with self._run(autocommit=False) as tx:
            yield tx

    @contextlib.contextmanager
    def statement(self) -> Iterator[Transaction]:
        """Run the block's only statement as a transaction of its own, which the server commits with it: one round trip.

        A worker that does nothing else stays in this mode; changing it, for a `transaction`, is a round trip.

        Raises:
            DatabaseUnavailable: as `transaction`; where the connection was lost the statement may have happened.
            SchemaOutdated, ConfigurationError: as `transaction`.
        """
        with self._run(autocommit=True) as tx:
            yield tx

    @contextlib.contextmanager
    def _run(self, *, autocommit: bool) -> Iterator[Transaction]:
        try:
            connection = self._open()
            # Never closed: that would read what is left of an answer, also where the connection has just been lost.
            cursor = connection.cursor()
            if not self._checked:
                self._run_check(cursor)
            # Asks the server only where it is in the other mode.
            connection.autocommit(autocommit)
            tx = Transaction(cursor)
            yield tx
            if not autocommit and not tx.has_ended:
                connection.commit()
            self._last_used = time.monotonic()
        except BaseException as error:
            if is_passing(error):
                self.close()
                raise DatabaseUnavailable(
                    f"The database could not finish the transaction: {describe(error)}"
                ) from error
            self._roll_back()
            if _is_refused_by_log(error):
                raise ConfigurationError(LOGS_STATEMENTS) from error
            if _is_unknown_name(error):
                self._explain_unknown_name()
            raise

    def _run_check(self, cursor: DictCursor) -> None:
        if self._check is not None:
            self._check(cursor)
        self._checked = True

    def _explain_unknown_name(self) -> None:
        """Check again: a backup from before the last migration may have been restored under a running worker."""
        if self._check is None or self._connection is None:
            return
        self._checked = False
        with contextlib.suppress(pymysql.err.MySQLError, OSError), self._connection.cursor() as cursor:
            self._run_check(cursor)
        self._roll_back()

    def close(self) -> None:
        """Drop the connection; the server rolls back what was open. The next transaction opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # _force_close sends no COM_QUIT: on a dead connection that would only wait for the time-out.
            connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 -- pymysql has no public name for it

    def _open(self) -> Connection[DictCursor]:
        if self._connection is not None and time.monotonic() - self._last_used > _IDLE_SECONDS_BEFORE_PING:
            try:
                with _answering_within(self._connection, _PING_SECONDS):
                    self._connection.ping(reconnect=False)
            except (pymysql.err.MySQLError, OSError):
                self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except (pymysql.err.MySQLError, OSError):
            self.close()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


# As the driver's own, but for dates that are none ('0000-00-00', '2026-02-00'): live tables have them where nobody knew
# a date, and the driver hands them out as text. They are NULL everywhere in this shop (docs/rules.md, "Seats").
_CONVERSIONS: dict[Any, Any] = {
    **conversions,
    FIELD_TYPE.DATE: _day,
    FIELD_TYPE.DATETIME: _moment,
    FIELD_TYPE.TIMESTAMP: _moment,
}


def connector(
    *,
    host: str,
    port: int,
    user: str,
    password: str,
    name: str,
    ca_file: str | None,
    timeouts: Timeouts = FOR_REQUESTS,
) -> Callable[[], Connection[DictCursor]]:
    """Give a function that opens a connection with this shop's session settings and time-outs.

    With `ca_file` the connection is made over TLS, and the server's certificate and name are verified against it.
    """
    session_settings = (
        f"SET sql_mode = '{_SQL_MODE}', time_zone = '+00:00', innodb_lock_wait_timeout = {timeouts.row_lock},"
        f" lock_wait_timeout = {timeouts.table_lock}, wait_timeout = {timeouts.rest}"
    )

    def connect() -> Connection[DictCursor]:
        connection = pymysql.connect(
            host=host,
            port=port,
            user=user,
            password=password.encode(),  # a text the driver would send as latin-1, or fail and quote it
            database=name,
            charset="utf8mb4",
            cursorclass=DictCursor,
            conv=_CONVERSIONS,
            autocommit=False,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_CONNECT_SECONDS,
            write_timeout=timeouts.answer,
            init_command=session_settings,
            ssl_ca=ca_file,
            ssl_verify_cert=ca_file is not None,
            ssl_verify_identity=ca_file is not None,
            ssl_disabled=ca_file is None,
        )
        connection.query(_ISOLATION)
        _wait_for_answers(connection, timeouts.answer)
        return connection

    return connect


def is_let_in_over_tls(*, host: str, port: int, user: str, password: str, name: str) -> bool:
    """Tell whether the server takes this login over TLS, where it refused it without.

    A user who must use TLS (`REQUIRE SSL`, `require_secure_transport`) is refused as one with a wrong password is. The
    server's certificate is not looked at: the same login was just offered in the open.
    """
    try:
        pymysql.connect(
            host=host,
            port=port,
            user=user,
            password=password.encode(),
            database=name,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_CONNECT_SECONDS,
            ssl={"check_hostname": False, "verify_mode": "none"},
        ).close()
    except (pymysql.err.MySQLError, OSError):
        return False
    return True


@contextlib.contextmanager
def _answering_within(connection: Connection[DictCursor], seconds: float) -> Iterator[None]:
    before: float = connection._read_timeout  # type: ignore[attr-defined]  # noqa: SLF001 -- see _wait_for_answers
    _wait_for_answers(connection, seconds)
    yield
    _wait_for_answers(connection, before)


def _wait_for_answers(connection: Connection[DictCursor], seconds: float) -> None:
    # pymysql reads it before each answer, and has no public way to change it.
    connection._read_timeout = seconds  # type: ignore[attr-defined]  # noqa: SLF001 -- see above


def describe(error: BaseException) -> str:
    """Give a database error's number, which is what an operator looks up, and its words."""
    # The text of an OSError names the host, which is no secret.
    if isinstance(error, pymysql.err.MySQLError) and len(error.args) > 1:
        return f"error {error.args[0]}: {str(error.args[1])[:200]}"
    return f"{type(error).__name__}: {str(error)[:200]}"
