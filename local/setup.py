"""Prepares a machine: the Python packages in `.venv`, and MariaDB. `python3 local/setup.py`; quick when all is there.

`.venv` is of the Python that runs this: with another one than before (`make test PYTHON=python3.13`) it is made anew.

`--browser`: Chromium instead, for the tests in a browser. They are skipped where it cannot be installed.

Only the standard library is used: this runs before there is anything else.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
LOCK_FILES = (PROJECT / "tests" / "requirements.txt",)
STAMP = ENVIRONMENT / ".installed"
OLDEST, NEWEST = (3, 11), (3, 14)
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MARIADB_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")


class SetupError(Exception):
    """Something is missing that must be installed by hand; the message says what and how."""


def main() -> int:
    """Set everything up; returns 0, or 1 with an explanation."""
    if "--browser" in sys.argv[1:]:
        return install_browser()
    try:
        with one_at_a_time():
            if not is_up_to_date():
                install_packages()
        if not has_mariadb():
            install_mariadb()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let two calls at once wait for each other instead of disturbing each other."""
    import fcntl  # noqa: PLC0415 - not on Windows, where the message below is better than an ImportError

    with (PROJECT / "pyproject.toml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """What the environment was made from: Python, the lock files, and the project's own packages and commands."""
    digest = hashlib.sha256(python_version().encode())
    for file in (*LOCK_FILES, PROJECT / "pyproject.toml"):
        digest.update(file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()


def is_up_to_date() -> bool:
    """Whether `.venv` was made from what is there now."""
    try:
        return STAMP.read_text(encoding="ascii") == fingerprint() and (ENVIRONMENT / "bin" / "python").exists()
    except FileNotFoundError:
        return False


def install_packages() -> None:
    """Make `.venv` and install the locked packages and the project itself into it."""
    missing = [file for file in LOCK_FILES if not file.exists()]
    if missing:
        raise SetupError(f"{missing[0]} is missing; `make lock` makes it.")
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists() or version_of_environment() not in {"", python_version()}:
        print("Making .venv …", flush=True)
        run([find_python(), "-m", "venv", "--clear", str(ENVIRONMENT)], "Install Python's venv module (python3-venv).")
    print("Installing the Python packages …", flush=True)
    steps = [["--requirement", str(file)] for file in LOCK_FILES] + [["--no-deps", "--editable", str(PROJECT)]]
    if not installed_by_uv(python, steps):
        for step in steps:
            run([*pip(python), *step], "The package index could not be reached, or a package not be built.")
    STAMP.write_text(fingerprint(), encoding="ascii")


def pip(python: Path) -> list[str]:
    """Give the command by which pip installs into an environment."""
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def installed_by_uv(python: Path, steps: Sequence[Sequence[str]]) -> bool:
    """Install by uv, which takes a tenth of pip's time; returns False where it cannot, and pip must.

    uv does not know pip's configuration: where that names another package index, pip finds what uv does not.
    """
    pin = re.search(r"^uv==.*\n(?: .*\n)*", LOCK_FILES[0].read_text(encoding="utf-8"), re.MULTILINE)
    if pin is None:
        return False
    of_uv = ENVIRONMENT / "uv.txt"  # with its hashes, which pip takes from a file only
    of_uv.write_text(pin[0], encoding="utf-8")
    uv = [str(python.parent / "uv"), "pip", "install", "--quiet", "--python", str(python)]
    commands = [[*pip(python), "--requirement", str(of_uv)], *([*uv, *step] for step in steps)]
    try:
        return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)
    except OSError:
        return False


def python_version() -> str:
    """Give the version of the Python that `.venv` is to have, as `3.13`; "" where there is none."""
    with contextlib.suppress(SetupError):
        found = find_python()
        if found != sys.executable:
            return Path(found).name.removeprefix("python")
        return ".".join(map(str, sys.version_info[:2]))
    return ""


def version_of_environment() -> str:
    """Give the version of the Python that `.venv` has; "" where it does not say."""
    with contextlib.suppress(FileNotFoundError):
        for line in (ENVIRONMENT / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "version":
                return ".".join(value.strip().split(".")[:2])
    return ""


def find_python() -> str:
    """Find an interpreter of a supported version: this one, or one on the PATH.

    Raises:
        SetupError: there is none.
    """
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
    raise SetupError(f"Python {oldest} to {newest} is needed; this is {sys.version.split()[0]}.")


def has_mariadb() -> bool:
    """Whether mariadbd and its installer can be found, or MARIADB_HOME says where another one is."""
    if os.environ.get("MARIADB_HOME"):
        return True
    path = os.pathsep.join([os.environ.get("PATH", ""), *MARIADB_PLACES])
    return all(shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db"))


def install_mariadb() -> None:
    """Install mariadb-server by apt, where that is possible without asking for a password.

    Raises:
        SetupError: it is not; the message says what to install.
    """
    by_hand = (
        "MariaDB is needed and could not be installed from here. Install it and try again:\n"
        "  Debian, Ubuntu:  sudo apt-get install mariadb-server\n"
        "  Fedora:          sudo dnf install mariadb-server\n"
        "  macOS:           brew install mariadb\n"
        "It need not run as a service: the local stack starts a server of its own."
    )
    had_server = has_mariadb()
    # The system's own server must not be started: policy-rc.d would be the way, but is not ours to write.
    install_by_apt("mariadb-server", "MariaDB", by_hand)
    if not had_server and not has_mariadb():
        raise SetupError(by_hand)


def install_browser() -> int:
    """Install Chromium by apt where no browser of its kind is; returns 0 also where it cannot, and says so."""
    if any(map(shutil.which, BROWSERS)):
        return 0
    by_hand = "The tests in a browser are skipped: sudo apt-get install chromium"
    try:
        try:
            # Chromium without what draws windows: it takes two thirds of the processor's time. Not everywhere.
            install_by_apt(BROWSERS[0], "Chromium", by_hand)
        except SetupError:
            install_by_apt("chromium", "Chromium", by_hand)
    except SetupError as error:
        print(f"{error}", file=sys.stderr, flush=True)
    return 0


def install_by_apt(package: str, name: str, by_hand: str) -> None:
    """Install a package of Debian's or Ubuntu's, where that is possible without asking for a password.

    Raises:
        SetupError: it is not; with what to do by hand.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        raise SetupError(by_hand)
    as_root: list[str] = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if as_root and (shutil.which("sudo") is None or subprocess.run([*as_root, "true"], check=False).returncode != 0):
        raise SetupError(by_hand)
    print(f"Installing {name} …", flush=True)
    environment = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*environment, apt, "install", "--yes", "--no-install-recommends", "--quiet=2", package]
    if subprocess.run(install, check=False).returncode != 0:
        run([*environment, apt, "update", "--quiet=2"], by_hand)
        run(install, by_hand)


def run(command: Sequence[str], advice: str) -> None:
    """Run a command.

    Raises:
        SetupError: it failed; with the advice.
    """
    if subprocess.run(list(command), check=False).returncode != 0:
        raise SetupError(f"This failed: {' '.join(command)}\n{advice}")


if __name__ == "__main__":
    sys.exit(main())
