"""`make build`: what `sam deploy` sends. `sam build`, and then the bytecode of all that it put there.

`python3 local/build.py [ARGUMENT…]`, with further arguments of `sam build`. Lambda keeps no bytecode, and sam makes
none: without it each new worker compiles hundreds of modules before its first answer (docs/decisions.md, A cold start).

Only the standard library is used: who deploys needs sam and the functions' Python, and no `.venv`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATE = PROJECT / "template.yaml"
BUILT = Path(".aws-sam", "build")


class BuildError(Exception):
    """What would be sent is not whole; the message says what is missing."""


def main(arguments: Sequence[str]) -> int:
    """Build; returns 0, or 1 with an explanation."""
    try:
        build("sam", PROJECT, arguments)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def build(sam: str | Path, project: Path, arguments: Sequence[str] = ()) -> Path:
    """Build the template in a folder; gives where its functions are.

    Raises:
        BuildError: it could not be built.
    """
    version = runtime_version(project / "template.yaml")
    python = find_python(version)
    environment = dict(os.environ)
    if python is None and "--use-container" not in arguments:
        raise BuildError(f"Python {version}, with which the functions run, is not here: install it, or sam needs Docker"
                         " (python3 local/build.py --use-container).")  # fmt: skip
    if python is not None:
        # sam looks for it on the PATH, where pyenv may have put a stand-in that refuses.
        environment["PATH"] = os.pathsep.join([str(python.parent), environment.get("PATH", os.defpath)])
    if subprocess.run([str(sam), "build", *arguments], cwd=project, env=environment, check=False).returncode != 0:
        raise BuildError("sam build failed.")
    folders = sorted(path for path in (project / BUILT).iterdir() if path.is_dir())
    if python is None:
        print(f"Without bytecode, since Python {version} is not here: the functions work, and start slowly.")
    else:
        compile_all(python, folders)
    return project / BUILT


def compile_all(python: Path, folders: Sequence[Path]) -> None:
    """Put the bytecode of each module beside it. What the folders have alike is compiled once.

    Raises:
        BuildError: something could not be compiled.
    """
    first, *others = folders
    # Bytecode that is taken as it is (PEP 552): what is sent is not changed any more, and its times are not kept. One
    # process and one seed, so that the same sources give the same bytes, and no deployment without a change.
    compiler = [str(python), "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    places = ["-s", str(first), "-p", "/var/task", str(first)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    if subprocess.run([*compiler, *places], env=environment, check=False).returncode != 0:
        raise BuildError("A module could not be compiled.")
    for source in first.rglob("*.py"):
        text = source.read_bytes()
        for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
            for other in others:
                twin = other / source.relative_to(first)
                if not twin.is_file() or twin.read_bytes() != text:
                    raise BuildError(f"{twin} is not what {source} is: compile each folder by itself.")
                place = other / compiled.relative_to(first)
                place.parent.mkdir(exist_ok=True)
                place.unlink(missing_ok=True)
                os.link(compiled, place)


def runtime_version(template: Path) -> str:
    """Give the Python version of the functions' runtime, as `3.13`."""
    found = re.search(r"^ +Runtime: python(3\.\d+)$", template.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{template} names no Python as Runtime.")
    return found[1]


def find_python(version: str) -> Path | None:
    """Find an interpreter of a version: this one, one on the PATH, or one of pyenv's."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [sys.executable, shutil.which(name), *sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True)]
    return next((Path(place) for place in places if place and _version_of(place) == version), None)


def _version_of(python: str | Path) -> str:
    told = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([str(python), "-c", told], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
