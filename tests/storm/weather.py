"""What breaks during a storm: the database, Lambda workers, deliveries of events."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import pymysql

from local.aws.moto_patches.event_bridge import Delivery, DeliveryError
from local.stack import LocalStack
from tests.balance import Balance
from tests.storm.sizes import Size

_BETWEEN_CROWDS_SECONDS = 2.0
_CROWD_SECONDS = 1.0
_LONGEST_CROWD_SECONDS = 20.0
_CROWD_ASKS_SECONDS = 0.02
# Whatever chance says, these of the deliveries.
_CERTAINLY_THROTTLED, _CERTAINLY_LOST = 5, 10
_THROTTLED_SHARE = 0.1
# As the functions log it: MariaDB's ER_CON_COUNT_ERROR.
_TOO_MANY = b"error 1040: "


@dataclass
class Damage:
    """What was broken so far."""

    worker_kills: int = 0
    database_kills: int = 0
    refused_connections: int = 0
    throttled_deliveries: int = 0
    undeliverable: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"mariadbd killed {self.database_kills} times, {self.worker_kills} workers killed,"
            f" {self.refused_connections} connections refused as too many,"
            f" {len(self.undeliverable)} events undeliverable, {self.throttled_deliveries} deliveries throttled"
        )

    def check(self, balance: Balance, size: Size) -> None:
        """Hold that there was a storm: each kind of damage was done."""
        balance.check("times mariadbd was killed", self.database_kills, size.database_kills)
        for what, number in (
            ("workers were killed", self.worker_kills),
            ("connections were refused as too many", self.refused_connections),
            ("events became dead letters", len(self.undeliverable)),
            ("deliveries were throttled", self.throttled_deliveries),
        ):
            balance.check(f"{what} ({number})", number > 0, expected=True)


class Weather:
    """Breaks things in the background until it is left.

    Args:
        stack: the running stack.
        size: how bad it gets.
        chance: where every accident comes from.
    """

    def __init__(self, stack: LocalStack, size: Size, chance: random.Random) -> None:
        self.damage = Damage()
        self._stack, self._size, self._chance = stack, size, chance
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._kill_workers, self._crowd_the_database)
        ]

    def __enter__(self) -> Self:
        self._stack.cloud.deliveries.interceptors.append(self._deliver)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._stack.cloud.deliveries.interceptors.remove(self._deliver)

    def kill_database(self) -> None:
        """End mariadbd as a power cut would, and start it again a while later."""
        self._stack.database.kill()
        self.damage.database_kills += 1
        time.sleep(self._size.database_down_seconds)
        self._stack.database.start()
        # What chance may not bring in a short storm comes here for certain: now everybody connects anew, and somebody
        # else is there first and stays, while events go on coming, until a function was refused.
        before = self._count_refused_connections()
        full = threading.Event()
        crowd = threading.Thread(target=self._crowd_until_one_is_refused, args=(before, full), daemon=True)
        self._threads.append(crowd)
        crowd.start()
        full.wait(_LONGEST_CROWD_SECONDS)
        self._kill_worker()

    def count_refused_connections(self) -> None:
        """Read from the functions' logs how often the database had no connection for them."""
        self.damage.refused_connections = self._count_refused_connections()

    def _count_refused_connections(self) -> int:
        logs = self._stack.logs_directory.glob("*.log")
        return sum(log.read_bytes().count(_TOO_MANY) for log in logs)

    def _kill_workers(self) -> None:
        while not self._over.wait(self._chance.expovariate(1 / self._size.seconds_between_worker_kills)):
            self._kill_worker()

    def _kill_worker(self) -> None:
        workers = self._stack.cloud.lambdas.worker_pids()
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(workers), signal.SIGKILL)
                self.damage.worker_kills += 1

    def _crowd_the_database(self) -> None:
        while not self._over.is_set():
            self._crowd(_CROWD_SECONDS)
            self._over.wait(_BETWEEN_CROWDS_SECONDS)

    def _crowd_until_one_is_refused(self, refused_before: int, full: threading.Event) -> None:
        ends = time.monotonic() + _LONGEST_CROWD_SECONDS
        with contextlib.ExitStack() as taken:
            while time.monotonic() < ends and self._count_refused_connections() == refused_before:
                if not self._take_one(taken):
                    full.set()
                    if self._over.wait(_CROWD_ASKS_SECONDS):
                        break

    def _crowd(self, seconds: float) -> None:
        """Take every connection that is left or comes free, for a while, as a job of somebody else's would."""
        ends = time.monotonic() + seconds
        with contextlib.ExitStack() as taken:
            while time.monotonic() < ends and not self._over.wait(_CROWD_ASKS_SECONDS):
                self._take_one(taken)

    def _take_one(self, taken: contextlib.ExitStack) -> bool:
        try:
            taken.enter_context(closing(self._stack.database.connect()))
        except (pymysql.err.MySQLError, OSError):
            return False
        return True

    def _deliver(self, delivery: Delivery) -> None:
        number, accident = next(self._numbers), self._chance.random()
        is_lost = number == _CERTAINLY_LOST or accident < self._size.undeliverable
        if delivery.event["id"] in self.damage.undeliverable or is_lost:
            self.damage.undeliverable.add(delivery.event["id"])
            raise DeliveryError("AccessDeniedException", "The role may not start the state machine.")
        if number == _CERTAINLY_THROTTLED or accident < self._size.undeliverable + _THROTTLED_SHARE:
            self.damage.throttled_deliveries += 1
            raise DeliveryError("ThrottlingException", "Rate exceeded.")
