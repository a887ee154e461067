"""TLS to the database as on AWS: the server's certificate and name are verified, anything else is refused."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from local.database.mariadb import MariaDB
from ticketing.database import Database, connector
from ticketing.errors import DatabaseUnavailable


def open_database(server: MariaDB, *, host: str, ca_file: Path) -> Database:
    return Database(connector(**asdict(replace(server.address, host=host)), ca_file=str(ca_file)))


def test_a_server_of_our_authority_and_of_this_name_is_spoken_to_in_secret(
    tls_server: MariaDB, certificates: Path
) -> None:
    database = open_database(tls_server, host="127.0.0.1", ca_file=certificates / "authority.pem")
    with database.transaction() as tx:
        cipher = tx.one("SHOW SESSION STATUS LIKE 'Ssl_version'")
    assert cipher is not None
    assert cipher["Value"].startswith("TLSv1.")
    database.close()


def test_a_certificate_of_another_authority_is_refused(tls_server: MariaDB, certificates: Path) -> None:
    database = open_database(tls_server, host="127.0.0.1", ca_file=certificates / "stranger.pem")
    with pytest.raises(DatabaseUnavailable, match="certificate verify failed"), database.transaction():
        pass


def test_a_certificate_of_another_name_is_refused(tls_server: MariaDB, certificates: Path) -> None:
    database = open_database(tls_server, host="localhost", ca_file=certificates / "authority.pem")
    with pytest.raises(DatabaseUnavailable, match="Hostname mismatch"), database.transaction():
        pass


def test_a_server_without_tls_is_refused(mariadb: MariaDB, certificates: Path) -> None:
    database = open_database(mariadb, host="127.0.0.1", ca_file=certificates / "authority.pem")
    with pytest.raises(DatabaseUnavailable, match="SSL"), database.transaction():
        pass
