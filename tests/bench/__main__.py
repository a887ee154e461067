"""`python -m tests.bench [--json] [--quick] [--before COMMIT] [SECTION…]`: measures, prints, and exits 1 when a budget
is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.quiet import quieten_libraries
from local.signals import INTERRUPTED, stop_as_by_ctrl_c
from tests.bench.before import before
from tests.bench.checkout_latency import half_load
from tests.bench.checkout_speed import checkout
from tests.bench.cold_start import cold
from tests.bench.imports import imports
from tests.bench.migration_wait import migration
from tests.bench.payment_speed import handlers, throughput
from tests.bench.report import Section
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.shop import Shop, running_shop
from tests.bench.transitions import transitions

# `imports` and `migration` first: they need a machine without a shop on it.
SECTIONS = ("imports", "migration", "cold", "handlers", "throughput", "checkout", "half-load", "transitions")
_WITHOUT_SHOP: dict[str, Callable[[Scale, Progress], Section]] = {"imports": imports, "migration": migration}
_IN_SHOP: dict[str, Callable[[Shop, Scale, Progress], Section]] = {
    "cold": cold,
    "handlers": handlers,
    "throughput": throughput,
    "checkout": checkout,
    "half-load": half_load,
    "transitions": transitions,
}


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        _parser().error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    stop_as_by_ctrl_c()
    quieten_libraries()
    console = Console(width=None if sys.stdout.isatty() else 120)
    found = []
    try:
        with _progress() as progress:
            scale = QUICK if given.quick else FULL
            beside = (before(given.before, scale, progress) for _ in range(given.before is not None))
            wanted = given.sections or (SECTIONS if given.before is None else ())
            for section in itertools.chain(beside, measured(wanted, scale, progress)):
                found.append(section)
                if not given.json:
                    progress.stop()
                    section.print(console)
                    progress.start()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    met = all(section.met for section in found)
    if given.json:
        sys.stdout.write(json.dumps({"met": met, "sections": [section.as_json() for section in found]}, indent=2))
        sys.stdout.write("\n")
    else:
        console.print("[green]All budgets are met.[/]" if met else "[bold red]A budget is missed.[/]")
    return 0 if met else 1


def measured(wanted: list[str] | tuple[str, ...], scale: Scale, progress: Progress) -> Iterator[Section]:
    """Measure the wanted sections, in their own order; the shop is started when it is needed first."""
    with ExitStack() as parts:
        shop: Shop | None = None
        for name in SECTIONS:
            if name not in wanted:
                continue
            if name in _WITHOUT_SHOP:
                yield _WITHOUT_SHOP[name](scale, progress)
                continue
            if shop is None:
                task = progress.add_task("starting the shop", total=None)
                shop = parts.enter_context(running_shop())
                progress.remove_task(task)
            yield _IN_SHOP[name](shop, scale, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Speed, most of it as ratios against bare SQL."
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"one of {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--before", metavar="COMMIT", help="beside this commit, in turns; other sections only if named")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten; too rough to judge by")
    return parser


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


if __name__ == "__main__":
    sys.exit(main())
