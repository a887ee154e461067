"""A stack that runs as `make run` has it, in a process of its own."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.local.conftest import environment_for_python, wait_until

COMMAND = [sys.executable, "-m", "local", "run", "--directory"]


class Running:
    """A stack in a process of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.output = (directory.parent / f"{directory.name}.output").open("w+")
        self.process = subprocess.Popen(
            [*COMMAND, str(directory)],
            env=environment_for_python() | environment,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def file(self) -> Path:
        return self.directory / "stack.json"

    def text(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def wait_until_up(self) -> dict[str, Any]:
        assert wait_until(lambda: self.file.exists() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.text()
        addresses: dict[str, Any] = json.loads(self.file.read_text())
        return addresses

    def children(self) -> list[int]:
        found: list[int] = []
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the thread has just ended
                found += map(int, (thread / "children").read_text().split())
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()
