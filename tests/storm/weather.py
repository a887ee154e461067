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

from local.moto_patches.event_bridge import Delivery, DeliveryError
from local.stack import LocalStack
from tests.storm.sizes import Size


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
        self._killer = threading.Thread(target=self._kill_workers, name="storm-workers", daemon=True)

    def __enter__(self) -> Self:
        self._stack.cloud.deliveries.interceptors.append(self._deliver)
        self._killer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._killer.join()
        self._stack.cloud.deliveries.interceptors.remove(self._deliver)

    def kill_database(self) -> None:
        """End mariadbd as a power cut would, and start it again a while later."""
        self.count_refused_connections()
        self._stack.database.kill()
        self.damage.database_kills += 1
        time.sleep(self._size.database_down_seconds)
        self._stack.database.start()

    def count_refused_connections(self) -> None:
        """Add what the server counted since it was started."""
        with closing(self._stack.database.connect(user="root")) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'")
            row = cursor.fetchone()
            self.damage.refused_connections += int(row[1]) if row else 0

    def _kill_workers(self) -> None:
        while not self._over.wait(self._chance.expovariate(1 / self._size.seconds_between_worker_kills)):
            workers = self._stack.cloud.lambdas.worker_pids()
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._chance.choice(workers), signal.SIGKILL)
                    self.damage.worker_kills += 1

    def _deliver(self, delivery: Delivery) -> None:
        accident = self._chance.random()
        if delivery.event["id"] in self.damage.undeliverable or accident < self._size.undeliverable:
            self.damage.undeliverable.add(delivery.event["id"])
            raise DeliveryError("AccessDeniedException", "The role may not start the state machine.")
        if accident < self._size.undeliverable + 0.1:
            self.damage.throttled_deliveries += 1
            raise DeliveryError("ThrottlingException", "Rate exceeded.")
