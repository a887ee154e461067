"""The shop's database and its two users, made by an administrator's connection: once, or again after a change.

The functions read and write rows; only the migrations change tables. So each has a user of its own, with no right more
than it needs (docs/deploy.md, "The database's users").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from ticketing.database import is_passing
from ticketing.errors import ConfigurationError, DatabaseUnavailable

FUNCTION_RIGHTS: Final = "SELECT, INSERT, UPDATE, DELETE"
MIGRATION_RIGHTS: Final = f"{FUNCTION_RIGHTS}, CREATE, ALTER, INDEX"
# What may stand between backquotes without being escaped, and is no pattern; a hyphen is usual in names of databases.
_DATABASE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Account:
    """One user: name, password, and what it may do in the shop's database."""

    user: str
    password: str
    rights: str


def prepare_database(
    connect: Callable[[], Connection[Any]], name: str, accounts: Sequence[Account], *, require_tls: bool
) -> list[str]:
    """Make the database where it is missing, and give each account its password and its rights; safe to repeat.

    Nothing is taken away: an account that may do more already, may do so afterwards. Tables are left alone.

    Args:
        connect: opens a connection of an administrator, to no database in particular.
        name: the database's name.
        accounts: who is to have rights in it, from any host; the network decides who reaches the server.
        require_tls: whether these users are refused without TLS.

    Returns:
        What was done, in sentences without secrets.

    Raises:
        ConfigurationError: the name cannot be used, two accounts share a name but not a password, or the administrator
            may not do it; the message has the server's error number.
        DatabaseUnavailable: the server is away.
    """
    if not _DATABASE_NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} cannot be the name of a database: use letters, digits, _ and -.")
    connection = connect()
    connection.cursorclass = Cursor
    try:
        with connection.cursor() as cursor:
            return list(_prepare(cursor, name, _merged(accounts), "REQUIRE SSL" if require_tls else "REQUIRE NONE"))
    except (pymysql.err.MySQLError, OSError) as error:
        if is_passing(error):
            raise DatabaseUnavailable("The database's server could not be reached, or ended the connection.") from None
        # The server's text may quote the statement, and with it a password.
        code = error.args[0] if error.args else "unknown"
        raise ConfigurationError(
            f"The database refused to make its users (error {code}). The administrator needs CREATE USER, and the"
            f" rights {MIGRATION_RIGHTS} on {name} WITH GRANT OPTION."
        ) from None
    finally:
        connection.close()


def _merged(accounts: Sequence[Account]) -> list[Account]:
    """One account a name: where the functions and the migrations share a user, it gets the rights of both."""
    by_name: dict[str, Account] = {}
    for account in accounts:
        known = by_name.get(account.user)
        if known is not None and known.password != account.password:
            raise ConfigurationError(f"Two secrets name the database user {account.user} with two passwords.")
        wider = known is not None and len(known.rights) > len(account.rights)
        by_name[account.user] = known if known is not None and wider else account
    return list(by_name.values())


def _prepare(cursor: Cursor, name: str, accounts: Sequence[Account], tls: str) -> list[str]:
    done = []
    if cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (name,)) == 0:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        done.append(f"Made the database {name}.")
    for account in accounts:
        # In GRANT the name is a pattern, in which _ means any character.
        pattern = name.replace("_", r"\_")
        cursor.execute(f"CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s {tls}", (account.user, account.password))
        cursor.execute(f"ALTER USER %s@'%%' IDENTIFIED BY %s {tls}", (account.user, account.password))
        cursor.execute(f"GRANT {account.rights} ON `{pattern}`.* TO %s@'%%'", (account.user,))
        done.append(f"The user {account.user} may {account.rights} in {name}.")
    return done
