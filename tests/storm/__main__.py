"""`python -m tests.storm [--small] [--seed N]`: `make storm`. Exit code 1 where the balance is off."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "functions")]

from local.quiet import quieten_libraries  # noqa: E402 -- the path is set above
from local.signals import INTERRUPTED, stop_as_by_ctrl_c  # noqa: E402 -- the same
from tests.storm.sizes import FULL, SMALL  # noqa: E402 -- the path is set above
from tests.storm.storm import StormError, run_storm  # noqa: E402 -- the same


def main() -> int:
    """Run one storm."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--small", action="store_true", help="60 orders, one kill of the database")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of a storm that is to come again")
    given = parser.parse_args()
    quieten_libraries()
    stop_as_by_ctrl_c()
    try:
        balance = run_storm(SMALL if given.small else FULL, seed=given.seed, say=_say)
    except StormError as error:
        _say(f"The storm did not end well: {error}")
        return 1
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    _say("The balance is exact." if not balance.off else f"The balance is OFF: {', '.join(balance.off)}.")
    return 1 if balance.off else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
