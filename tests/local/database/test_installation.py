"""Which MariaDB is run: the machine's, or the one that MARIADB_HOME names."""

from pathlib import Path

import pytest

from local.database import installation
from local.database.installation import MariaDBUnavailableError, find_installation
from local.database.mariadb import MariaDB


def a_program(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o755)
    return str(file)


def test_a_missing_server_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARIADB_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installation, "_SYSTEM_FOLDERS", ())
    with pytest.raises(MariaDBUnavailableError, match=r"mariadbd was not found.*apt-get install mariadb-server"):
        MariaDB(tmp_path / "db").start()
    server = a_program(tmp_path / "mariadbd")
    with pytest.raises(MariaDBUnavailableError, match="mariadb-install-db was not found"):
        find_installation(tmp_path)
    installer = a_program(tmp_path / "mariadb-install-db")
    assert find_installation(tmp_path) == installation.Installation(server, installer)


def test_an_archive_of_mariadbs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIADB_HOME", str(tmp_path))
    with pytest.raises(MariaDBUnavailableError, match=f"MARIADB_HOME is {tmp_path}"):
        find_installation(tmp_path / "scratch")
    server = a_program(tmp_path / "bin" / "mariadbd")
    installer = a_program(tmp_path / "scripts" / "mariadb-install-db")
    found = find_installation(tmp_path / "scratch")
    assert found == installation.Installation(server, installer, (f"--basedir={tmp_path}",))
    assert not (tmp_path / "scratch").exists()


@pytest.mark.skipif(not Path("/usr/sbin/mariadbd").exists(), reason="MariaDB is not part of this machine's system")
def test_a_system_with_its_own_c_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own, told as if it were another one's."""
    monkeypatch.setenv("MARIADB_HOME", "/")
    with MariaDB(tmp_path, port=0, durable=False) as server:
        process = server._process
        assert process is not None
        command = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert Path(command[0]).name.startswith("ld-linux-")
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@basedir")
            assert cursor.fetchone() == (f"{tmp_path}/installation",)
