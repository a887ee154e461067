import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest

from local.database import mariadb
from local.database.installation import MariaDBUnavailableError
from local.database.mariadb import MariaDB
from local.processes import free_port
from tests.local.conftest import environment_for_python, is_alive, wait_until


def test_data_survive_a_kill_and_the_server_comes_back_on_its_port(tmp_path: Path) -> None:
    with MariaDB(tmp_path / "db", port=0) as server:
        port = server.port
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (i INT) ENGINE = InnoDB")
            cursor.execute("INSERT INTO t VALUES (7)")
        server.kill()
        assert not server.running
        server.start()
        assert server.port == port
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT i FROM t")
            assert cursor.fetchall() == ((7,),)
            cursor.execute("SELECT @@log_bin, @@max_connections, @@time_zone, @@innodb_flush_log_at_trx_commit")
            assert cursor.fetchone() == (0, 500, "+00:00", 1)
    assert not server.running
    assert "Shutdown complete" in server.log_file.read_text()
    first_password = server.password
    with MariaDB(tmp_path / "db", port=port) as again:
        assert again.password == first_password
        with again.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM t")
            assert cursor.fetchone() == (1,)


def test_only_our_accounts_exist_and_only_on_the_loopback(tmp_path: Path) -> None:
    with MariaDB(tmp_path, port=0, durable=False) as server:
        with server.connect(user="root") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT user, host FROM mysql.user WHERE user <> 'mariadb.sys' ORDER BY user")
            assert cursor.fetchall() == (
                ("cachao", "127.0.0.1"),
                ("cachao_functions", "127.0.0.1"),
                ("root", "127.0.0.1"),
            )
            cursor.execute("SELECT @@bind_address, @@innodb_flush_log_at_trx_commit, @@tmpdir")
            assert cursor.fetchone() == ("127.0.0.1", 0, str(tmp_path / "tmp"))
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host=server.host, port=server.port, user=server.user, password="guess")
    assert (tmp_path / "password").stat().st_mode & 0o077 == 0
    assert (tmp_path / "startup.sql").stat().st_mode & 0o077 == 0


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 20) / ("longer" * 15)
    with MariaDB(directory, port=0, durable=False) as server:
        assert server.running
        folder = server._socket_folder
        assert folder is not None
        assert folder.exists()
    assert not folder.exists()


def test_another_port_is_taken_where_the_preferred_one_is_in_use(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        MariaDB(tmp_path, port=other.getsockname()[1], durable=False) as server,
    ):
        assert server.port != other.getsockname()[1]


def test_a_port_that_somebody_takes_meanwhile_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        ports = iter([taken, free_port()])
        monkeypatch.setattr(mariadb, "free_port", lambda _: next(ports))
        with MariaDB(tmp_path, port=0, durable=False) as server:
            assert server.port != taken
            server.connect().close()


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from local.database.mariadb import MariaDB; "
        "server = MariaDB(Path(sys.argv[1]), port=0, durable=False); server.start(); "
        "print(server._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], env=environment_for_python(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: not is_alive(pid))


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = MariaDB(tmp_path, port=0, durable=False, options=["--no-such-option"])
    with pytest.raises(MariaDBUnavailableError, match="no-such-option"):
        server.start()
    assert not server.running
