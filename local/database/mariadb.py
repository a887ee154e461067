"""A real mariadbd of the project's own: its data, its port, its password; nothing of the system's is touched."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pymysql

from local.database.installation import Installation, MariaDBUnavailableError, find_installation
from local.private_files import append_private
from local.processes import LOOPBACK, free_port, spawn, stop
from local.signals import stop_if_asked
from ticketing.schema.accounts import FUNCTION_RIGHTS, MIGRATION_RIGHTS

DEFAULT_PORT = 3307
# sockaddr_un.sun_path holds 108 bytes, the last of which is NUL (unix(7)).
_LONGEST_SOCKET_PATH = 107
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PROBE_SECONDS = 2.0
_PORTS_TRIED = 3

# Throw-away servers only: nothing is written to disk before a COMMIT returns. Loose: ignored where it does not exist.
_NOT_DURABLE = (
    "--innodb-flush-log-at-trx-commit=0",
    "--loose-innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--loose-sync-frm=0",
)


@dataclass(frozen=True)
class DatabaseAddress:
    """Where and as whom to connect; the keys of `.local/stack.json`."""

    host: str
    port: int
    user: str
    password: str
    name: str


class MariaDB:
    """One mariadbd on 127.0.0.1. A context manager: starts on entry, stops cleanly on exit.

    Users: `functions_user` and `user` have the rights that docs/deploy.md grants the functions and the migrations, and
    no more, in databases whose name begins with `name`; `root` may do everything, for tests that make the tables of
    other people's shops. All have the same password.

    Args:
        directory: keeps data, password and log between runs; made where missing.
        port: preferred port; another free one is taken where it is in use.
        name: database to create.
        durable: False for throw-away servers: no fsync, for speed.
        max_connections: the server's limit.
        options: further `--option=value` arguments of mariadbd.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = DEFAULT_PORT,
        name: str = "cachao",
        durable: bool = True,
        max_connections: int = 500,
        options: Sequence[str] = (),
    ) -> None:
        """Note the settings; nothing is started yet."""
        self.directory = directory.resolve()
        self.name = name
        self.user = name
        self.functions_user = f"{name}_functions"
        self.password = ""
        self.host = LOOPBACK
        self.port = port
        self._durable = durable
        self._max_connections = max_connections
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None
        self._had_port = False

    @property
    def address(self) -> DatabaseAddress:
        """Connection details of the migrations' user."""
        return DatabaseAddress(self.host, self.port, self.user, self.password, self.name)

    @property
    def log_file(self) -> Path:
        """The server's own log."""
        return self.directory / "mariadbd.log"

    @property
    def running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def connect(
        self, *, user: str | None = None, database: str | None = None, read_seconds: float | None = None
    ) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """Open a new connection (autocommit), as the migrations' user unless told otherwise."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=user or self.user,
            password=self.password,
            database=database or self.name,
            autocommit=True,
            connect_timeout=5,
            read_timeout=read_seconds,
        )

    def start(self) -> None:
        """Make the data directory where missing, start the server, wait until it answers.

        Raises:
            MariaDBUnavailableError: not installed, or it ended or stayed silent; with its last log lines.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        installation = find_installation(self.directory / "installation")
        self.password = self._load_or_make_password()
        self._create_data_directory(installation)
        startup_sql = self._write_startup_sql()
        for tries_left in reversed(range(_PORTS_TRIED)):
            if not self._had_port:  # after a kill it must come back where its clients look for it
                self.port = free_port(self.port)
            log_began_at = self.log_file.stat().st_size if self.log_file.exists() else 0
            try:
                self._launch_and_wait(installation, startup_sql)
            except MariaDBUnavailableError:
                # Between the look for a free port and the server's bind() somebody else may take it.
                if self._had_port or not tries_left or not self._port_was_taken(log_began_at):
                    raise
            else:
                self._had_port = True
                return

    def _launch_and_wait(self, installation: Installation, startup_sql: Path) -> None:
        try:
            with append_private(self.log_file) as log:
                self._launch(installation, startup_sql, log)
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut the server down cleanly; harmless where it is not running."""
        if self._process is not None:
            stop(self._process, grace_seconds=_STOP_SECONDS)
        self._forget()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL). `start` brings it back on the same port."""
        if self._process is not None:
            stop(self._process)
        self._forget()

    def _forget(self) -> None:
        self._process = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

    def _load_or_make_password(self) -> str:
        file = self.directory / "password"
        with contextlib.suppress(FileNotFoundError):
            return file.read_text(encoding="ascii").strip()
        password = secrets.token_urlsafe(24)
        _write_private(file, password + "\n")
        return password

    def _create_data_directory(self, installation: Installation) -> None:
        data = self.directory / "data"
        if data.exists():
            return
        # Renamed into place only when complete: an interrupted first start leaves nothing half-made.
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            installation.installer,
            "--no-defaults",
            "--force",  # no account needs this machine's name
            *installation.options,
            f"--datadir={unfinished}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            *_as_user(),
            *(() if self._durable else _NOT_DURABLE),
        ]
        environment = {**os.environ, "TMPDIR": str(self._own_temporary_folder())}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MariaDBUnavailableError(
                f"mariadb-install-db failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        unfinished.rename(data)

    def _choose_socket_file(self) -> Path:
        """Beside the data; where that path is too long for a socket, in a temporary folder, or in /tmp itself."""
        file = self.directory / "mariadbd.sock"
        if len(os.fsencode(file)) <= _LONGEST_SOCKET_PATH:
            return file
        longest = _LONGEST_SOCKET_PATH - len("/cachao-mariadb-12345678/mariadbd.sock")
        short = len(os.fsencode(tempfile.gettempdir())) <= longest
        self._socket_folder = Path(tempfile.mkdtemp(prefix="cachao-mariadb-", dir=None if short else "/tmp"))  # noqa: S108 -- a folder of our own in it
        return self._socket_folder / file.name

    def _own_temporary_folder(self) -> Path:
        """Where the server keeps temporary tables: a starting mariadbd deletes those of others in a shared folder."""
        folder = self.directory / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def _write_startup_sql(self) -> Path:
        """SQL that mariadbd runs before it listens (`--init-file`), the same at every start.

        The anonymous and password-less accounts that the installer makes never get to see a client.
        """
        statements = [
            f"CREATE DATABASE IF NOT EXISTS `{self.name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            "DELETE FROM mysql.global_priv WHERE User IN ('', 'PUBLIC') OR (User = 'root' AND Host <> '127.0.0.1')",
            "FLUSH PRIVILEGES",
        ]
        grants = {
            "root": "ALL PRIVILEGES ON *.*",
            self.user: f"{MIGRATION_RIGHTS} ON `{self.name}%`.*",
            self.functions_user: f"{FUNCTION_RIGHTS} ON `{self.name}%`.*",
        }
        for user, rights in grants.items():
            account = f"'{user}'@'127.0.0.1'"
            option = " WITH GRANT OPTION" if user == "root" else ""
            statements += [
                f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{self.password}'",
                f"GRANT {rights} TO {account}{option}",
            ]
        file = self.directory / "startup.sql"
        _write_private(file, ";\n".join(statements) + ";\n")  # one statement a line, as --init-file wants
        return file

    def _launch(self, installation: Installation, startup_sql: Path, log: IO[bytes]) -> None:
        socket_file = self._choose_socket_file()
        command = [
            installation.server,
            "--no-defaults",
            *installation.options,
            f"--datadir={self.directory / 'data'}",
            f"--port={self.port}",
            f"--bind-address={LOOPBACK}",
            f"--socket={socket_file}",
            f"--tmpdir={self._own_temporary_folder()}",
            f"--pid-file={self.directory / 'mariadbd.pid'}",
            f"--init-file={startup_sql}",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--default-time-zone=+00:00",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--performance-schema=OFF",
            "--innodb-buffer-pool-size=256M",
            "--innodb-flush-log-at-trx-commit=1",
            f"--max-connections={self._max_connections}",
            *_as_user(),
            *(() if self._durable else _NOT_DURABLE),
            *self._options,
        ]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
        self._process = spawn(command, environment=environment, directory=self.directory, output=log)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise MariaDBUnavailableError(f"mariadbd ended while starting. {self._last_log_lines()}")
            with contextlib.suppress(pymysql.err.OperationalError):
                # Whoever has the port need not be a MariaDB, and may never say a word.
                self.connect(read_seconds=_PROBE_SECONDS).close()
                return
            stop_if_asked()
            time.sleep(_POLL_SECONDS)
        raise MariaDBUnavailableError(f"mariadbd did not answer in {_START_SECONDS:.0f} s. {self._last_log_lines()}")

    def _port_was_taken(self, log_began_at: int) -> bool:
        with self.log_file.open("rb") as log:
            log.seek(log_began_at)
            return b"Address already in use" in log.read()

    def _last_log_lines(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "\n".join([f"The end of {self.log_file}:", *lines])


def _as_user() -> Sequence[str]:
    """Root must say that it means it: mariadbd refuses to run as root by accident."""
    return ("--user=root",) if os.geteuid() == 0 else ()


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
