"""`make build`: what `sam build` leaves, and the bytecode beside it. sam itself is tried in tests/built."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from local import build
from local.build import BuildError

VERSION = ".".join(map(str, sys.version_info[:2]))
TAG = sys.implementation.cache_tag
SAM = """#!/bin/sh
for name in A B; do mkdir -p .aws-sam/build/$name/shop; echo "x = 1" > .aws-sam/build/$name/shop/prices.py; done
echo "$PATH" > path; echo "$@" > arguments
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(f"Globals:\n  Function:\n    Runtime: python{VERSION}\n")
    sam = tmp_path / "sam"
    sam.write_text(SAM)
    sam.chmod(0o755)
    return tmp_path


def run(project: Path, arguments: Sequence[str] = ()) -> Path:
    return build.build(project / "sam", project, arguments)


def test_each_folder_gets_the_bytecode_of_what_is_in_it(project: Path) -> None:
    built = run(project, ["--cached"])
    for name in ("A", "B"):
        compiled = (built / name / "shop" / "__pycache__" / f"prices.{TAG}.pyc").read_bytes()
        assert compiled[4:8] == b"\1\0\0\0", "it would be compiled again where the file's time is another one"
        assert b"/var/task/shop/prices.py" in compiled
        assert str(project).encode() not in compiled
    assert (project / "arguments").read_text() == "build --cached\n"


def test_the_same_sources_give_the_same_bytes(project: Path) -> None:
    file = Path(".aws-sam/build/A/shop/__pycache__") / f"prices.{TAG}.pyc"
    run(project)
    first = (project / file).read_bytes()
    run(project)
    assert (project / file).read_bytes() == first


def test_folders_that_differ_are_refused(project: Path) -> None:
    run(project)
    folders = sorted((project / build.BUILT).iterdir())
    (folders[1] / "shop" / "prices.py").write_text("x = 2\n")
    with pytest.raises(BuildError, match="is not what"):
        build.compile_all(Path(sys.executable), folders)


def test_sam_finds_the_functions_python_first(project: Path) -> None:
    run(project)
    assert (project / "path").read_text().split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_without_the_functions_python_it_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "find_python", lambda _version: None)
    with pytest.raises(BuildError, match=rf"Python {VERSION}.* --use-container"):
        run(project)
    run(project, ["--use-container"])
    assert "Without bytecode" in capsys.readouterr().out


def test_a_stand_in_that_refuses_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyenv's, for a version that is installed and not chosen; its own folder has the interpreter."""
    shims, real = tmp_path / "shims", tmp_path / "pyenv" / "versions" / "3.99.0" / "bin"
    for folder, program in ((shims, "exit 127"), (real, "echo 3.99")):
        folder.mkdir(parents=True)
        (folder / "python3.99").write_text(f"#!/bin/sh\n{program}\n")
        (folder / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", str(shims))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "elsewhere"))
    assert build.find_python("3.99") is None
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert build.find_python("3.99") == real / "python3.99"


def test_a_build_that_fails_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "sam").write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(build, "PROJECT", project)
    monkeypatch.setenv("PATH", f"{project}{os.pathsep}{os.environ['PATH']}")
    assert build.main([]) == 1
