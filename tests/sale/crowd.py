"""`python -m tests.sale.crowd`: plays all buyers of a sale in a process of its own; what they saw is JSON on stdout."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.sale.buyers import Bot, Buyer, Diary, Place
from tests.sale.sizes import Size
from tests.sale.wire import Wire

Turn = tuple[float, int, Buyer | Bot]


class Crowd:
    """Everybody; threads take who is next. Who has a checkout open comes first, as nobody waits in line to leave."""

    def __init__(self, everybody: Sequence[Buyer | Bot], until: float) -> None:
        self._turns = itertools.count()
        self._busy: list[Turn] = []
        self._others: list[Turn] = [(0.0, next(self._turns), person) for person in everybody]
        self._until = until
        self._lock = threading.Lock()
        self._unfinished = len(everybody)
        self.errors: list[str] = []

    @property
    def unfinished(self) -> int:
        """How many still want something."""
        return self._unfinished

    def serve(self) -> None:
        """Let one after the other do the next thing, until nobody wants anything or it is too late."""
        while self._unfinished and time.monotonic() < self._until:
            person = self._next()
            if person is None:
                time.sleep(0.01)
                continue
            try:
                wait = person.step()
            except Exception as error:  # noqa: BLE001 -- a thread that dies would hide it
                self.errors.append(f"{type(error).__name__}: {error}")
                wait = None
            self._back(person, wait)

    def _next(self) -> Buyer | Bot | None:
        now = time.monotonic()
        with self._lock:
            for queue in (self._busy, self._others):
                if queue and queue[0][0] <= now:
                    return heapq.heappop(queue)[2]
        return None

    def _back(self, person: Buyer | Bot, wait: float | None) -> None:
        with self._lock:
            if wait is None:
                self._unfinished -= 1
                return
            queue = self._busy if person.has_checkout else self._others
            heapq.heappush(queue, (time.monotonic() + wait, next(self._turns), person))


def play(size: Size, place: Place, seed: int) -> dict[str, Any]:
    """Play a sale; gives what was seen (`Diary`), answers by code, and how long it took."""
    chance, wire, diary = random.Random(seed), Wire(), Diary()
    began = time.monotonic()
    everybody: list[Buyer | Bot] = [Bot(number, size.bot_requests, place, wire) for number in range(size.bots)]
    everybody += [Buyer(number, place, wire, diary, random.Random(chance.random())) for number in range(size.buyers)]
    crowd = Crowd(everybody, began + size.patience_seconds)
    threads = [threading.Thread(target=crowd.serve, daemon=True) for _ in range(size.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "unfinished": crowd.unfinished,
        "answers": dict(wire.answers),
        "checkout_seconds": sorted(wire.seconds.get("checkout", [])),
        **dataclasses.asdict(diary),
        "problems": diary.problems + crowd.errors,
    }


def main() -> None:
    """Read what is to be played from stdin."""
    given = json.load(sys.stdin)
    json.dump(play(Size(**given["size"]), Place(**given["place"]), given["seed"]), sys.stdout)


if __name__ == "__main__":
    main()
