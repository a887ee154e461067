"""Processes that call handlers, or replay SQL, when they are told to."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from local.processes import spawn, stop

ROOT = Path(__file__).parents[2]

_START_SECONDS = 60.0

P = ParamSpec("P")
R = TypeVar("R")


class WorkerFailedError(RuntimeError):
    """A worker's job raised; with its traceback."""


class Worker:
    """One process with the environment of a Lambda function, its standard output thrown away. A context manager.

    Jobs are functions of a module; what they keep between jobs they keep there.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="cachao-bench-") as folder,
            Listener(str(Path(folder) / "worker"), family="AF_UNIX") as listener,
        ):
            self._process = spawn(
                [sys.executable, "-m", "tests.bench.worker", str(listener.address)],
                environment={**environment, "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"},
                directory=ROOT,
            )
            # A worker that never comes must not be waited for.
            listener._listener._socket.settimeout(_START_SECONDS)  # type: ignore[attr-defined]
            self._connection: Connection[Any, Any] = listener.accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        stop(self._process)

    def start(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> None:
        self._connection.send((job, args, kwargs))

    def result(self) -> Any:
        good, answer = self._connection.recv()
        if not good:
            raise WorkerFailedError(answer)
        return answer

    def call(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        self.start(job, *args, **kwargs)
        answer: R = self.result()
        return answer


def all_at_once(workers: Sequence[Worker], job: Callable[..., R], arguments: Sequence[tuple[Any, ...]]) -> list[R]:
    """Let each worker do the job with its own arguments, at the same time."""
    for worker, args in zip(workers, arguments, strict=True):
        worker.start(job, *args)
    return [worker.result() for worker in workers]
