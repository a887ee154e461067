"""How far a command has come, for whoever looks on: on stderr, on a terminal only, and gone when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from cachao.view.output import Output


@contextmanager
def progress(
    output: Output, doing: str, total: int | None, *, beside_the_answer: bool = False
) -> Iterator[Callable[[int], None]]:
    """Draw a bar; what is given is called with how many more are done. `total` None: nobody knows how many.

    `beside_the_answer`: that is written meanwhile, so that no bar is drawn where both go to one terminal.
    """
    drawn_over = beside_the_answer and output.console.is_terminal
    with Progress(console=output.errors, disable=drawn_over or not output.is_live, transient=True) as drawn:
        bar = drawn.add_task(doing, total=total)
        yield lambda done: drawn.advance(bar, done)
