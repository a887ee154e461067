"""What breaks during a storm: the database, Lambda workers, deliveries of events."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import pymysql

from local.moto_patches.event_bridge import Delivery, DeliveryError
from local.stack import LocalStack
from tests.storm.balance import Balance
from tests.storm.sizes import Size

_BETWEEN_CROWDS_SECONDS = 2.0
_CROWD_SECONDS = 1.0
_CROWD_ASKS_SECONDS = 0.02
# Of the events one is undeliverable whatever chance says.
_CERTAINLY_LOST = 10
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
        self._delivered: set[str] = set()
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
        # Just now everybody connects anew. What chance may not bring in a short storm comes here for certain.
        self._crowd(_CROWD_SECONDS)
        self._kill_worker()

    def count_refused_connections(self) -> None:
        """Read from the functions' logs how often the database had no connection for them."""
        logs = self._stack.logs_directory.glob("*.log")
        self.damage.refused_connections = sum(log.read_bytes().count(_TOO_MANY) for log in logs)

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

    def _crowd(self, seconds: float) -> None:
        """Take every connection that is left or comes free, for a while, as a job of somebody else's would."""
        ends = time.monotonic() + seconds
        with contextlib.ExitStack() as taken:
            while time.monotonic() < ends and not self._over.wait(_CROWD_ASKS_SECONDS):
                with contextlib.suppress(pymysql.err.MySQLError, OSError):
                    taken.enter_context(closing(self._stack.database.connect()))

    def _deliver(self, delivery: Delivery) -> None:
        self._delivered.add(delivery.event["id"])
        accident = 0.0 if len(self._delivered) == _CERTAINLY_LOST else self._chance.random()
        if delivery.event["id"] in self.damage.undeliverable or accident < self._size.undeliverable:
            self.damage.undeliverable.add(delivery.event["id"])
            raise DeliveryError("AccessDeniedException", "The role may not start the state machine.")
        if accident < self._size.undeliverable + 0.1:
            self.damage.throttled_deliveries += 1
            raise DeliveryError("ThrottlingException", "Rate exceeded.")
