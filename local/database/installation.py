"""Which MariaDB runs here: the installed one, or the one in the folder that MARIADB_HOME names.

That folder is the root of an unpacked Debian (or of a container's image), or MariaDB's own archive as it is unpacked.
Nothing in it needs to be installed. Where it brings a C library of its own, its programs are run with that.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = "MARIADB_HOME"
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
_HOME_FOLDERS = ("sbin", "bin", "libexec", "scripts")
_LIBRARY_FOLDERS = ("usr/lib/*", "usr/lib*", "lib/*", "lib*")
_SERVERS = ("mariadbd", "mysqld")
_INSTALLERS = ("mariadb-install-db", "mysql_install_db")


class MariaDBUnavailableError(RuntimeError):
    """MariaDB is not installed, or did not start. The message says what to do."""


@dataclass(frozen=True)
class Installation:
    """The programs of one MariaDB.

    Attributes:
        server: mariadbd.
        installer: mariadb-install-db, which makes a data directory.
        options: what both must be told.
    """

    server: str
    installer: str
    options: Sequence[str] = ()


def find_installation(scratch: Path) -> Installation:
    """Find the MariaDB to run.

    Args:
        scratch: a folder of the caller's own, made anew where the programs need their own C library.

    Raises:
        MariaDBUnavailableError: it is not there.
    """
    home = os.environ.get(_VARIABLE)
    if home:
        return _in_home(Path(home).expanduser().resolve(), scratch)
    path = os.pathsep.join([os.environ.get("PATH", ""), *_SYSTEM_FOLDERS])
    return Installation(*_programs(path, "On Debian or Ubuntu: sudo apt-get install mariadb-server"))


def _in_home(home: Path, scratch: Path) -> Installation:
    base = home / "usr" if (home / "usr").is_dir() else home
    path = os.pathsep.join(str(base / folder) for folder in _HOME_FOLDERS)
    advice = f"{_VARIABLE} is {home}: it names an unpacked system, or MariaDB's own archive unpacked"
    server, installer = _programs(path, advice)
    loaders = [file for folder in _LIBRARY_FOLDERS for file in home.glob(f"{folder}/ld-linux-*.so.*")]
    loader = next((file for file in loaders if not file.is_symlink()), None)
    if loader is not None:
        base = _with_own_library(base, loader, path, scratch)
        server = str(base / "sbin" / "mariadbd")
    return Installation(server, installer, (f"--basedir={base}",))


def _with_own_library(base: Path, loader: Path, path: str, scratch: Path) -> Path:
    """Lay out in `scratch` what looks like `base` to an installer, with programs that find their own C library."""
    shutil.rmtree(scratch, ignore_errors=True)
    # Before Debian 13 the C library stands in /lib, everything else in /usr/lib.
    libraries = os.pathsep.join([str(loader.parent), str(base / "lib" / loader.parent.name)])
    for name, folder in (("mariadbd", "sbin"), ("my_print_defaults", "bin")):
        program = shutil.which(name, path=path) or name
        start = shlex.join(["exec", str(loader), "--library-path", libraries, program])
        file = scratch / folder / name
        file.parent.mkdir(parents=True)
        file.write_text(f'#!/bin/sh\n{start} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
    for folder in ("lib", "share"):
        (scratch / folder).symlink_to(base / folder)
    return scratch


def _programs(path: str, advice: str) -> tuple[str, str]:
    server, installer = (
        next((found for name in names if (found := shutil.which(name, path=path))), None)
        for names in (_SERVERS, _INSTALLERS)
    )
    if server is None or installer is None:
        missing = "mariadbd" if server is None else "mariadb-install-db"
        raise MariaDBUnavailableError(f"{missing} was not found in {path.replace(os.pathsep, ', ')}. {advice}")
    return server, installer
