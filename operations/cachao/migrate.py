"""`cachao migrate`: brings the database to this version's schema, through the function that is deployed for it."""

from __future__ import annotations

import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from cachao import function_code
from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.problems import STILL_RUNNING, Problem
from cachao.view.output import Output, duration

_TELL_EVERY_SECONDS: Final = 20.0


class _Migration(threading.Thread):
    """The call of the function: it can take as long as Lambda lets it, and nobody can look at it meanwhile."""

    def __init__(self, environment: Environment) -> None:
        # A daemon: who has waited enough, or pressed Ctrl-C, is not kept by it.
        super().__init__(daemon=True)
        self._environment = environment
        self.applied: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            answer = self._environment.invoke("MigrateDatabaseFunction", {"execution_id": "cachao migrate"})
            self.applied = answer["applied"]
        except BaseException as error:  # noqa: BLE001 -- raised again where the command waits
            self.error = error


def migrate(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which migrations are due.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal nothing is asked.")] = False,
    code: Annotated[
        Path | None,
        typer.Option(
            "--code",
            help="Put this folder of `sam build` into the function first: the migrations of a version to come.",
        ),
    ] = None,
    wait: Annotated[float, typer.Option(help="Wait so many seconds for the result.", min=1)] = 300,
) -> None:
    """Apply the migrations that the database has not had yet. Additive, and safe to repeat.

    Run it before each deployment, with --code, or right after it; cachao doctor says when one is due. A migration that
    outlasts the waiting goes on by itself, for a quarter of an hour at most.

    [bold]Examples[/bold]

        cachao migrate --stack cachao

        cachao migrate --stack cachao --code .aws-sam/build/MigrateDatabaseFunction
    """
    context: CommandContext = ctx.obj
    context.environment.resource("MigrateDatabaseFunction")  # what is wrong with the stack is told before the waiting
    if dry_run:
        _answer_dry_run(context)
        return
    if sys.stdin.isatty():
        context.output.confirm(f"Apply the migrations that are due in {context.environment.name}?", yes=yes)
    if code is not None:
        size = function_code.put(context.environment, "MigrateDatabaseFunction", code)
        context.output.note(f"MigrateDatabaseFunction has the code of {code} ({size:,} bytes) until the deployment.")
    migration = _Migration(context.environment)
    with context.output.errors.status("migrating", spinner="dots"):
        migration.start()
        _wait_for(migration, context.output, wait)
    if migration.error is not None:
        raise migration.error
    lines = [f"applied {name}" for name in migration.applied] or ["The schema is up to date; there was nothing to do."]
    context.output.answer({"applied": migration.applied}, *lines)


def _answer_dry_run(context: CommandContext) -> None:
    # Of the function that reads only: an older one that migrates would not know the word, and migrate.
    due = context.environment.invoke("InspectOrderFunction", {"health": True})["pending_migrations"] or []
    lines = [f"due: {name}" for name in due] or ["The schema is up to date; nothing is to be done."]
    context.output.answer({"dry_run": True, "pending": due}, *lines)


def _wait_for(migration: _Migration, output: Output, seconds: float) -> None:
    began = time.monotonic()
    while True:
        left = began + seconds - time.monotonic()
        migration.join(max(0.0, min(left, _TELL_EVERY_SECONDS)))
        if not migration.is_alive():
            return
        waited = _format_duration(time.monotonic() - began)
        if left <= _TELL_EVERY_SECONDS:
            raise Problem(
                f"The migration still runs after {waited}. It continues by itself, for 15 minutes at most.",
                advice="cachao doctor says whether the database answers. Say the same command again later: what is"
                " done is kept, and one that still runs is not run twice.",
                exit_code=STILL_RUNNING,
            )
        output.note(f"Still migrating after {waited}: the database builds an index, or does not answer.")


def _format_duration(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))
