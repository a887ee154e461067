"""What the tests' functions are: the working copy on this Python, or, with TEST_BUILT=1, what `sam build` makes of it.

`python -m tests --built` runs with the latter, on the functions' own Python (template.yaml, Runtime): nothing but what
ships, AWS's runtime client and Python's own library is there to be imported.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.aws.lambda_worker import THIS_PYTHON, Interpreter
from local.build import BUILT, BuildError, build, find_python, runtime_version
from tests.reference.check import BIN, tool
from tests.reference.tools import ToolsMissing

ROOT: Final = Path(__file__).parents[1]
TEMPLATE: Final = ROOT / "template.yaml"
VARIABLE: Final = "TEST_BUILT"
# All functions are built alike (tests/built holds it), so one is built, and tested as each of them.
_FUNCTION: Final = "CreateCheckoutFunction"
_FOLDER: Final = ROOT / ".local" / "built"
_PARTS: Final = ("functions", "statemachine", "template.yaml")


@dataclass(frozen=True)
class Artefact:
    """A template, and the Python on which its functions run."""

    template: Path
    python: Interpreter


def chosen() -> Artefact:
    """Give what the tests are to run.

    Raises:
        ToolsMissing: it was to be built, and cannot be here.
    """
    return built() if os.environ.get(VARIABLE) else Artefact(TEMPLATE, THIS_PYTHON)


def built() -> Artefact:
    """Build what ships, unless that has been done since the sources changed. `code_of` has the folder of the functions.

    Raises:
        ToolsMissing: the functions' Python or sam is not here, and cannot be installed.
    """
    version = runtime_version(TEMPLATE)
    found = find_python(version)
    if found is None:
        raise ToolsMissing(f"Python {version}, with which the functions run, is not installed")
    _FOLDER.parent.mkdir(exist_ok=True)
    with (ROOT / "pyproject.toml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes at once
        stamp, digest = _FOLDER / "built", _digest()
        if not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
            _build()
            stamp.write_text(digest, encoding="ascii")
        python = _runtime(found)
    return Artefact(_FOLDER / "shipped.yaml", Interpreter(str(python), version))


def code_of(artefact: Artefact) -> Path:
    """Give the folder that each built function gets."""
    return artefact.template.parent / BUILT / _FUNCTION


def _build() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir()
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, _FOLDER / part, ignore=shutil.ignore_patterns("__pycache__", "*.pem"))
        else:
            shutil.copy(source, _FOLDER)
    try:
        build(tool("sam"), _FOLDER, [_FUNCTION])
    except BuildError as error:
        raise ToolsMissing(str(error)) from None
    template = (_FOLDER / "template.yaml").read_text(encoding="utf-8")
    shipped = template.replace("CodeUri: functions/", f"CodeUri: {BUILT / _FUNCTION}/")
    (_FOLDER / "shipped.yaml").write_text(shipped, encoding="utf-8")


def _digest() -> str:
    digest = hashlib.sha256()
    for part in (*_PARTS, "local/build.py"):
        for file in sorted((ROOT / part).rglob("*")) or [ROOT / part]:
            if file.is_file() and file.suffix not in {".pyc", ".pem"}:
                digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()


def _runtime(python: Path) -> Path:
    """Give the functions' Python with AWS's runtime client, of which Lambda's managed runtime is made."""
    pins, folder = ROOT / "tests" / "requirements.txt", ROOT / ".venv" / "check" / "runtime"
    stamp = folder / "installed"
    made_of = hashlib.sha256(pins.read_bytes() + str(python).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="ascii") != made_of:
        inside = str(folder / "bin" / "python")
        for command in (
            [str(python), "-m", "venv", "--clear", "--without-pip", str(folder)],
            [
                str(BIN / "uv"),
                "pip",
                "install",
                "--quiet",
                "--python",
                inside,
                "--constraint",
                str(pins),
                "awslambdaric",
            ],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ToolsMissing(f"awslambdaric could not be installed: {done.stderr.strip()[-300:]}")
        stamp.write_text(made_of, encoding="ascii")
    return folder / "bin" / "python"
