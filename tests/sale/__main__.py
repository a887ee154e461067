"""`python -m tests.sale [--small] [--seed N]`: `make sale`. Exit code 1 where a seat was not sold, or sold twice."""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.quiet import quieten_libraries  # noqa: E402 -- the path is set above
from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the same
from tests.sale.sale import run_sale  # noqa: E402 -- the same
from tests.sale.sizes import FULL, SMALL  # noqa: E402 -- the same


def main() -> int:
    """Play one sale."""
    parser = argparse.ArgumentParser(prog="python -m tests.sale", description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL.seats} seats, {SMALL.buyers} buyers")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of a sale that is to come again")
    parser.add_argument("--seats", type=int)
    parser.add_argument("--buyers", type=int)
    parser.add_argument("--hold-seconds", type=int)
    given = parser.parse_args()
    changes = {name: getattr(given, name) for name in ("seats", "buyers", "hold_seconds")}
    size = dataclasses.replace(
        SMALL if given.small else FULL, **{name: value for name, value in changes.items() if value is not None}
    )
    quieten_libraries()
    stop_as_by_ctrl_c()
    try:
        balance = run_sale(size, seed=given.seed, say=_say)
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    for line in balance.lines:
        _say(line)
    _say("Every seat is sold, once." if not balance.off else f"The sale is OFF: {', '.join(balance.off)}.")
    return 1 if balance.off else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
