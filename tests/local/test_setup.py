"""Setting up a machine; nothing is installed here, the commands are only looked at."""

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from local import setup


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been run."""
    ran: list[str] = []

    def run(command: Sequence[str], **_options: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(setup.subprocess, "run", run)  # type: ignore[attr-defined]
    return ran


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "requirements.txt").write_text("a==1\n")
    monkeypatch.setattr(setup, "PROJECT", tmp_path)
    monkeypatch.setattr(setup, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(setup, "STAMP", tmp_path / ".venv" / ".installed")
    monkeypatch.setattr(setup, "LOCK_FILES", (tmp_path / "requirements.txt",))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return tmp_path


def test_it_does_nothing_when_all_is_there() -> None:
    if not (setup.is_up_to_date() and setup.has_mariadb()):
        pytest.skip("the environment was made by hand, or before the lock last changed: this would install packages")
    # It says what it installs before it does; no word is nothing done.
    done = subprocess.run([sys.executable, str(setup.PROJECT / "local" / "setup.py")], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_packages_are_installed_once_and_again_when_the_lock_changes(project: Path, commands: list[str]) -> None:
    assert setup.main() == 0
    assert [command.split(" -m ")[1].split(" ")[0] for command in commands] == ["pip", "pip"]
    assert f"--requirement {project / 'requirements.txt'}" in commands[0]
    assert f"--no-deps --editable {project}" in commands[1]
    commands.clear()
    assert setup.main() == 0
    assert commands == []
    (project / "requirements.txt").write_text("a==2\n")
    assert setup.main() == 0
    assert len(commands) == 2


def on_a_machine(monkeypatch: pytest.MonkeyPatch, *, lacks: Collection[str] = (), as_root: bool = True) -> None:
    """Where these programs are not, and all others are."""
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0 if as_root else 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(
        setup.shutil,  # type: ignore[attr-defined]
        "which",
        lambda name, **_: None if name in lacks else f"/usr/bin/{name}",
    )


@pytest.mark.parametrize("works", [True, False])
def test_uv_installs_the_packages_or_else_pip(
    project: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    (project / "requirements.txt").write_text("a==1\nuv==1.2 \\\n    --hash=sha256:0a\nv==1\n")
    instead = setup.subprocess.run  # type: ignore[attr-defined]

    def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        instead(command, **options)
        return subprocess.CompletedProcess(command, int(not works and command[1:3] == ["pip", "install"]))

    monkeypatch.setattr(setup.subprocess, "run", run)  # type: ignore[attr-defined]
    assert setup.main() == 0
    of_uv = f"{project / '.venv' / 'bin' / 'uv'} pip install --quiet --python {project / '.venv' / 'bin' / 'python'}"
    assert commands[0].endswith(
        f" -m pip install --quiet --disable-pip-version-check --requirement {project}/.venv/uv.txt"
    )
    assert (project / ".venv" / "uv.txt").read_text() == "uv==1.2 \\\n    --hash=sha256:0a\n"
    assert commands[1] == f"{of_uv} --requirement {project / 'requirements.txt'}"
    assert [" -m pip " in command for command in commands[2:]] == ([False] if works else [True, True])


def test_an_environment_is_made_where_there_is_none(project: Path, commands: list[str]) -> None:
    (project / ".venv" / "bin" / "python").unlink()

    def stop_after_venv() -> str:
        return sys.executable

    assert setup.find_python() == stop_after_venv()
    setup.install_packages()
    assert commands[0] == f"{sys.executable} -m venv --clear {project / '.venv'}"


def test_an_environment_of_another_python_is_made_anew(project: Path, commands: list[str]) -> None:
    config = project / ".venv" / "pyvenv.cfg"
    config.write_text(f"version = {setup.python_version()}.7\n")
    setup.install_packages()
    assert not [command for command in commands if " -m venv " in command]
    config.write_text("version = 3.99.1\n")
    setup.install_packages()
    assert f"{sys.executable} -m venv --clear {project / '.venv'}" in commands


def test_an_unsupported_python_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "OLDEST", (3, 98))
    monkeypatch.setattr(setup, "NEWEST", (3, 99))
    with pytest.raises(setup.SetupError, match=r"Python 3\.98 to 3\.99 is needed"):
        setup.find_python()


def test_a_missing_lock_is_explained(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.txt").unlink()
    assert setup.main() == 1
    assert "make lock" in capsys.readouterr().err


def test_mariadb_is_installed_by_apt_as_root(commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_machine(monkeypatch)
    setup.install_mariadb()
    [command] = commands
    assert command.startswith("env DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get install --yes ")
    assert command.endswith(" mariadb-server")


@pytest.mark.parametrize("missing", ["apt-get", "sudo"])
def test_where_mariadb_cannot_be_installed_it_is_explained(
    commands: list[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    on_a_machine(monkeypatch, lacks={missing}, as_root=False)
    with pytest.raises(setup.SetupError, match="sudo apt-get install mariadb-server"):
        setup.install_mariadb()
    assert commands == []


def test_chromium_is_installed_where_no_browser_of_its_kind_is(
    commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_machine(monkeypatch, lacks=setup.BROWSERS)
    assert setup.install_browser() == 0
    [command] = commands
    assert command.endswith(" chromium-headless-shell")
    on_a_machine(monkeypatch)
    assert setup.install_browser() == 0
    assert len(commands) == 1


def test_chromium_itself_is_installed_where_its_small_form_is_not_known(
    commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_machine(monkeypatch, lacks=setup.BROWSERS)
    remember = setup.subprocess.run  # type: ignore[attr-defined]

    def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        remember(command, **options)
        return subprocess.CompletedProcess(command, int(command[-1] == "chromium-headless-shell"))

    monkeypatch.setattr(setup.subprocess, "run", run)  # type: ignore[attr-defined]
    assert setup.install_browser() == 0
    assert [command.rpartition(" ")[2] for command in commands if " install " in command][-1] == "chromium"


def test_where_chromium_cannot_be_installed_the_tests_go_on_without(
    commands: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda *_, **__: None)  # type: ignore[attr-defined]
    assert setup.install_browser() == 0
    assert "The tests in a browser are skipped: sudo apt-get install chromium" in capsys.readouterr().err
    assert commands == []
