"""The other end of `tests.bench.workers`: does jobs until nobody is there any more."""

from __future__ import annotations

import sys
import traceback
from multiprocessing.connection import Client


def main() -> None:
    with Client(sys.argv[1], family="AF_UNIX") as connection:
        while True:
            try:
                job, args, kwargs = connection.recv()
            except EOFError:
                return
            try:
                answer = (True, job(*args, **kwargs))
            except Exception:  # noqa: BLE001 -- whatever it was, the other end must know
                answer = (False, traceback.format_exc())
            connection.send(answer)


if __name__ == "__main__":
    main()
