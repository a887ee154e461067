"""What can be done on the page, each by the command of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import typer

from cachao.command_context import CommandContext
from cachao.corrections.details import correct
from cachao.doctor.examination import causes_first, examine
from cachao.doctor.finding import Finding
from cachao.page.collecting import Collected
from cachao.page.jobs import Run
from cachao.problems import USAGE, Problem
from cachao.reconcile import reconcile
from cachao.refund.command import refund
from cachao.replay.command import replay

# Longer than an execution takes that need not try again; the page shows the others as they run.
_WAIT_SECONDS: Final = 60.0


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a command is told: its options, by their names."""


class Replay(Wish, frozen=True):
    """`cachao replay EXECUTION…`."""

    executions: list[str]
    order: int | None = None
    again: bool = False


class ReplayFailed(Wish, frozen=True):
    """`cachao replay --failed`."""

    since: str = "2d"
    error: str | None = None


class ReplayDeadLetters(Wish, frozen=True):
    """`cachao replay --dead-letters`."""

    discard: bool = False


class Refund(Wish, frozen=True):
    """`cachao refund ORDER`."""

    order: int
    payment: str | None = None
    amount: str | None = None
    seats: int | None = None
    again: bool = False
    end_order: bool = False
    although_disputed: bool = False
    reason: str | None = None


class CorrectAmount(Wish, frozen=True):
    """`cachao correct ORDER --amount`."""

    order: int
    amount: str
    reason: str | None = None


class Reconcile(Wish, frozen=True):
    """`cachao reconcile`."""

    since: str | None = None
    dry_run: bool = False
    close_missing: bool = False


class Doctor(Wish, frozen=True):
    """`cachao doctor`."""


def _replay(ctx: typer.Context, wish: Replay) -> None:
    if not wish.executions:
        raise Problem("Name an execution.", exit_code=USAGE)
    replay(ctx, wish.executions, order=wish.order, again=wish.again, wait=_WAIT_SECONDS)


def _replay_failed(ctx: typer.Context, wish: ReplayFailed) -> None:
    replay(ctx, failed=True, since=wish.since, error=wish.error, wait=_WAIT_SECONDS)


def _replay_dead_letters(ctx: typer.Context, wish: ReplayDeadLetters) -> None:
    replay(ctx, dead=True, discard=wish.discard, wait=_WAIT_SECONDS)


def _refund(ctx: typer.Context, wish: Refund) -> None:
    refund(ctx, **msgspec.structs.asdict(wish))


def _correct_amount(ctx: typer.Context, wish: CorrectAmount) -> None:
    correct(ctx, wish.order, amount=wish.amount, reason=wish.reason)


def _reconcile(ctx: typer.Context, wish: Reconcile) -> None:
    reconcile(ctx, **msgspec.structs.asdict(wish))


def _doctor(ctx: typer.Context, wish: Doctor) -> None:
    """Look at one link after the other; what has been found is shown at once."""
    del wish
    context: CommandContext = ctx.obj
    output = context.output
    assert isinstance(output, Collected)  # noqa: S101 -- `Jobs` gives no other
    seen: list[Finding] = []
    for finding in examine(context.environment):
        seen.append(finding)
        output.data["findings"] = causes_first(seen)


@dataclass(frozen=True)
class Action:
    """One thing to do; `changes`: it is done only where the page may change something."""

    wish: type[Wish]
    do: Callable[[typer.Context, Any], None]
    changes: bool = True

    def run(self, wish: Wish) -> Run:
        """Give the command, told what is wished."""
        return lambda ctx: self.do(ctx, wish)


ACTIONS: Final[dict[str, Action]] = {
    "replay": Action(Replay, _replay),
    "replay-failed": Action(ReplayFailed, _replay_failed),
    "replay-dead-letters": Action(ReplayDeadLetters, _replay_dead_letters),
    "refund": Action(Refund, _refund),
    "correct-amount": Action(CorrectAmount, _correct_amount),
    "reconcile": Action(Reconcile, _reconcile),
    "doctor": Action(Doctor, _doctor, changes=False),
}
