"""Commands that run behind the page, each in a thread of its own; the page asks how far they are."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import typer
from typer.core import TyperCommand

from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.page.collecting import Asked, Collected
from cachao.problems import BROKEN, FINE, Problem, explain

LOG: Final = logging.getLogger(__name__)
_REMEMBERED: Final = 50
_RUNNING_AT_ONCE: Final = 4

State = Literal["running", "asks", "done"]
Run = Callable[[typer.Context], None]


class Job:
    """One run of a command. `asks`: it has shown what it would do, and has done nothing."""

    def __init__(self, output: Collected) -> None:
        """Begin with nothing printed."""
        self.id = secrets.token_urlsafe(12)
        self.state: State = "running"
        self.exit_code: int | None = None
        self._output = output
        self._asked: Asked | None = None

    def run(self, environment: Environment, command: Run) -> None:
        """Run the command to its end, or to its question."""
        context = typer.Context(TyperCommand("page"), obj=CommandContext.at(environment, self._output))
        try:
            command(context)
            self.exit_code = FINE
        except typer.Exit as end:
            self.exit_code = end.exit_code
        except Asked as asked:
            self._asked = asked
        except Exception as error:
            problem = explain(error)
            if problem is None:
                LOG.exception("a command of the page failed")
                problem = Problem(
                    f"{type(error).__name__}: {error}", advice="The terminal says more.", exit_code=BROKEN
                )
            self._output.problem(problem)
            self.exit_code = problem.exit_code
        self.state = "done" if self._asked is None else "asks"

    def as_data(self) -> dict[str, Any]:
        """Give what it has said so far."""
        return {
            "id": self.id,
            "state": self.state,
            "exit_code": self.exit_code,
            "blocks": list(self._output.blocks),
            "question": self._asked.question if self._asked else None,
            "seal": self._asked.seal if self._asked else None,
            **self._output.data,
        }


class Jobs:
    """The commands of one page."""

    def __init__(self, environment: Environment) -> None:
        """Begin without any."""
        self._environment = environment
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def start(self, name: str, wish: msgspec.Struct, command: Run, *, yes_to: str | None) -> Job:
        """Run a command.

        Args:
            name: what it is.
            wish: what it is told.
            command: what runs.
            yes_to: the `seal` of the question that was answered with a yes; None: none was.

        Raises:
            Problem: too many run.
        """
        about = msgspec.json.encode([name, wish])
        job = Job(Collected(key=self._key, about=about, yes_to=yes_to))
        with self._lock:
            if sum(other.state == "running" for other in self._jobs.values()) >= _RUNNING_AT_ONCE:
                raise Problem(f"{_RUNNING_AT_ONCE} commands run already.", advice="Wait for one of them to end.")
            self._jobs[job.id] = job
            over = [known.id for known in self._jobs.values() if known.state != "running"]
            for forgotten in over[: max(0, len(self._jobs) - _REMEMBERED)]:
                del self._jobs[forgotten]
        threading.Thread(target=job.run, args=(self._environment, command), name=f"page-{name}", daemon=True).start()
        return job

    def get(self, job_id: str) -> Job | None:
        """Give a job; None where it is unknown, or forgotten."""
        with self._lock:
            return self._jobs.get(job_id)
