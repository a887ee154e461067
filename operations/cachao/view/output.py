"""What the commands print: tables and colours on a terminal, plain text in a pipe, JSON where it is asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import typer
from rich import markup
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.status import Status
from rich.table import Table

from cachao.problems import USAGE, Problem
from cachao.view.foreign_text import SafeConsole, safe, safe_json, safe_lines

# In a pipe nothing may be cut, nor broken over lines: rich would take 80 columns.
_WIDTH_OF_A_PIPE: Final = 1_000_000
# Columns of names, which somebody copies, and of moments: never broken, whatever table they are in. Where a terminal is
# too narrow for them the table is wider than it, and the terminal's own breaks are none for what is copied.
_UNBROKEN: Final = frozenset(
    {"execution", "session", "payment", "of payment", "refund", "dispute", "Stripe event", "object", "order"}
    | {"status", "step", "took", "tries", "seats"}
)
_A_MOMENT: Final = "(UTC)"
# Blanks between columns.
_BETWEEN: Final = 2
# The other columns are folded, but not to less than this, nor within a word that is no longer than that.
_NARROWEST: Final = 16
_LONGEST_WORD: Final = 40

# How each status looks, of executions, steps, orders and doctor's findings alike.
COLOURS: Final = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "red",
    "RUNNING": "cyan",
    "succeeded": "green",
    "failed": "red",
    "caught": "red",
    "running": "cyan",
    "stopped": "yellow",
    "fine": "green",
    "broken": "red",
    "cannot tell": "yellow",
    "paid": "green",
    "pending": "yellow",
    "processing": "cyan",
    "expired": "dim",
    "cancelled": "dim",
    "refunded": "magenta",
}


class Output:
    """Where a command's answer goes. Notes and questions go to stderr, so that stdout is the answer alone."""

    def __init__(self, *, as_json: bool = False, no_color: bool = False) -> None:
        """Choose JSON or text, and whether colours are allowed on a terminal."""
        self.as_json = as_json
        self._answers = _console(no_color=no_color, stderr=False)
        self._errors = _console(no_color=no_color, stderr=True)
        self._waits: Status | None = None

    @property
    def is_live(self) -> bool:
        """Whether a person looks on: progress may be drawn."""
        return self._errors.is_terminal and not self.as_json

    @property
    def console(self) -> SafeConsole:
        """The console of answers."""
        self.no_longer_waiting()
        return self._answers

    @property
    def errors(self) -> SafeConsole:
        """The console of notes and progress."""
        self.no_longer_waiting()
        return self._errors

    def waiting(self, what: str) -> None:
        """Show what is waited for, until something is told: where somebody looks on, and nothing else is drawn.

        What another thread waits for is shown by whoever waits for that thread.
        """
        if not self.is_live or threading.current_thread() is not threading.main_thread():
            return
        if self._waits is not None:
            self._waits.update(escape(what))
        elif not self._errors.is_drawing:
            self._waits = self._errors.status(escape(what), spinner="dots")
            self._waits.start()

    def no_longer_waiting(self) -> None:
        """Take away what `waiting` shows."""
        if self._waits is not None:
            self._waits.stop()
            self._waits = None

    def answer(self, data: object, *shown: RenderableType) -> None:
        """Give the answer: `data` as JSON where that was asked for, else what is to be shown."""
        if self.as_json:
            self.document(data)
            return
        for part in shown:
            self._print(part)

    def document(self, data: object) -> None:
        """Give an answer that is JSON, whatever was asked for."""
        self.no_longer_waiting()
        text = msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2)
        sys.stdout.write(safe_json(text.decode()) + "\n")

    def _print(self, part: RenderableType) -> None:
        if isinstance(part, Table):
            fit(part, self.console)
        if self.console.is_terminal:
            # What is wider than the terminal is not cut: the terminal breaks it.
            self.console.print(part, crop=False)
            return
        with self.console.capture() as printed:
            self.console.print(part)
        # rich fills each row up to the width of the table: in a pipe nobody sees what that is for.
        lines = printed.get().removesuffix("\n").split("\n")
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))

    def line(self, data: object) -> None:
        """Give one line of an answer that goes on: a text as it is, anything else as JSON."""
        self.no_longer_waiting()
        text = safe(data) if isinstance(data, str) else safe_json(msgspec.json.encode(data, enc_hook=str).decode())
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell the person something that is no part of the answer."""
        self.errors.print(text, highlight=False)

    def problem(self, problem: Problem) -> None:
        """Say what went wrong, and what to do next."""
        self.no_longer_waiting()
        if self.as_json:
            body = {"error": problem.sentence, "advice": problem.advice}
            sys.stdout.write(safe_json(msgspec.json.encode(body).decode()) + "\n")
        # A list of ours keeps its lines; no other line break is one.
        sentence = "\n- ".join(escape(part) for part in problem.sentence.split("\n- "))
        self._errors.print(f"[red]{sentence}[/red]", highlight=False, soft_wrap=True)
        if problem.advice:
            # Ours, and may have several lines.
            self._errors.print(markup.escape(safe_lines(problem.advice)), highlight=False, soft_wrap=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is done.

        Raises:
            Problem: the answer was no, or nobody is there to answer.
        """
        self.no_longer_waiting()
        if yes:
            return
        if not sys.stdin.isatty():
            raise Problem(
                f"{question} Nothing was done: this needs a yes.", advice="Add --yes to go on.", exit_code=USAGE
            )
        if not typer.confirm(safe(question), err=True):
            raise Problem("Nothing was done.")


def _console(*, no_color: bool, stderr: bool) -> SafeConsole:
    # Asked of the stream itself: rich takes a pipe for a terminal of 80 columns where CI systems set FORCE_COLOR.
    if not (sys.stderr if stderr else sys.stdout).isatty():
        return SafeConsole(stderr=stderr, force_terminal=False, no_color=True, width=_WIDTH_OF_A_PIPE, highlight=False)
    return SafeConsole(stderr=stderr, color_system=None if no_color else "auto", highlight=False)


def table(title: str, *columns: str, rows: Sequence[Sequence[str]]) -> Table:
    """Make a table; each cell may have rich's markup, so text from elsewhere must be escaped (`escape`)."""
    made = Table(
        show_header=any(columns),
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, _BETWEEN, 0, 0),
    )
    for column in columns:
        made.add_column(column, overflow="fold", header_style="dim")
    for row in rows:
        made.add_row(*row)
    return made


def fit(shown: Table, console: Console) -> None:
    """Make a table that is too wide for the console fold its other columns, and not those of names and moments."""
    unlimited = console.options.update(width=_WIDTH_OF_A_PIPE)
    natural = narrowest = -_BETWEEN
    for column in shown.columns:
        sizes = [Measurement.get(console, unlimited, cell) for cell in (column.header, *column.cells)]
        width, word = max(size.maximum for size in sizes), max(size.minimum for size in sizes)
        unbroken = column.header in _UNBROKEN or str(column.header).endswith(_A_MOMENT)
        column.no_wrap = unbroken
        column.min_width = width if unbroken else max(min(width, _NARROWEST), min(word, _LONGEST_WORD))
        natural += width + _BETWEEN
        narrowest += column.min_width + _BETWEEN
    if natural > console.width:
        shown.width = max(console.width, narrowest)


def escape(text: object) -> str:
    """Make text from elsewhere fit for a cell: nothing in it is markup, a command or a line break; None is a dash."""
    return "-" if text is None or text == "" else markup.escape(safe(str(text)))


def coloured(status: str) -> str:
    """Give a status in its colour."""
    colour = COLOURS.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else escape(status)


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: `1 order`, `2 orders`; `plural` where that is not the noun with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def moment(time: datetime | None) -> str:
    """Write a moment as `2026-11-21 17:05:03`, in UTC."""
    return "-" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(span: timedelta | None) -> str:
    """Write a duration as a person does: `34 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if span is None:
        return "-"
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 -- a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 -- an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004 -- two days
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
