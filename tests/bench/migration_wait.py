"""How long a checkout waits beside the first migration of a large table.

A MariaDB of its own that keeps what it commits, the live schema with a million orders, and a buyer who does what the
shop before this one does at a checkout: first without a migration, for comparison, then until the migration is over.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from pymysql.connections import Connection
from rich.progress import Progress

from local.database.mariadb import MariaDB
from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.ticketing.schema.schemas import LIVE_SCHEMA, run
from ticketing.database import FOR_MIGRATIONS, Database, connector
from ticketing.schema.runner import apply_migrations

# Beside the migration, the longest checkout of all may take this much longer than the longest without it.
LONGER_AT_MOST_MS = 100.0
_PAUSE_SECONDS = 0.01


class Buyer:
    """Checks out again and again while the block runs.

    Attributes:
        took: how long each checkout took, in milliseconds, in order.
        failed: what failed, as a buyer would see it.
    """

    def __init__(self, database: Database) -> None:
        self.took: list[float] = []
        self.failed: list[str] = []
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._buy, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def median(self) -> float:
        return sorted(self.took)[len(self.took) // 2]

    def cells(self) -> list[float | int]:
        ordered = sorted(self.took)
        return [len(ordered), len(self.failed), self.median, ordered[int(len(ordered) * 0.99)], ordered[-1]]

    def _buy(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._check_out()
            except Exception as error:  # noqa: BLE001 -- whatever it is, the buyer had to do without a ticket
                self.failed.append(str(error))
            self.took.append((time.monotonic() - began) * 1000)
            if self._over.wait(_PAUSE_SECONDS):
                return

    def _check_out(self) -> None:
        with self._database.transaction() as tx:
            tx.one("SELECT price FROM tickets WHERE id = 1")
            tx.change("UPDATE tickets SET sold_quantity = sold_quantity + 1 WHERE id = 1")
            tx.insert(
                "INSERT INTO ticket_orders (event_id, ticket_id, email, quantity, unit_price, discount_amount,"
                " total_amount, status) VALUES (1, 1, 'jo@example.com', 1, 20, 0, 20, 'pending')"
            )


def migration(scale: Scale, progress: Progress) -> Section:
    section = Section(
        "migration",
        f"a checkout beside the first migration of {scale.large_table:,} orders",
        ["checkouts", "failed", "median ms", "99 % ms", "longest ms", "seconds"],
    )
    with _live_shop() as (buying, migrating):
        task = progress.add_task("orders for the migration", total=scale.large_table)
        _fill(Database(migrating), scale.large_table, lambda there: progress.update(task, completed=there))
        progress.update(task, description="checkouts without a migration", total=None)
        with Buyer(buying) as alone:
            time.sleep(scale.baseline)
        progress.update(task, description="checkouts beside the migration")
        began = time.monotonic()
        with Buyer(buying) as beside:
            apply_migrations(migrating)
            seconds = time.monotonic() - began
        progress.remove_task(task)
    longer = max(beside.took) - max(alone.took)
    section.lines += [
        Line("without", [*alone.cells(), scale.baseline], met=None if not alone.failed else False),
        Line(
            "beside it",
            [*beside.cells(), seconds],
            budget=f"none fails; longest < {LONGER_AT_MOST_MS:.0f} ms above the longest without",
            met=not beside.failed and longer < LONGER_AT_MOST_MS,
        ),
    ]
    section.notes += sorted({*alone.failed, *beside.failed})
    return section


@contextlib.contextmanager
def _live_shop() -> Iterator[tuple[Database, Callable[[], Connection[Any]]]]:
    """The live schema on a server of its own: the buyer's database, and connections for the migration."""
    folder = Path(tempfile.mkdtemp(prefix="cachao-bench-"))
    try:
        with MariaDB(folder, port=0) as server:
            address = asdict(server.address)
            migrating = connector(**address, ca_file=None, timeouts=FOR_MIGRATIONS)
            run(migrating, LIVE_SCHEMA)
            yield Database(connector(**address, ca_file=None)), migrating
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(database: Database, orders: int, tell: Callable[[int], None]) -> None:
    """Double the one order of the live schema until there are so many."""
    there = 1
    while there < orders:
        with database.transaction() as tx:
            there += tx.change(
                "INSERT INTO ticket_orders (event_id, ticket_id, cognito_sub, email, quantity, unit_price,"
                " discount_amount, total_amount, status, stripe_checkout_session_id, created_at)"
                " SELECT event_id, ticket_id, UUID(), CONCAT('Buyer', id, '.', RAND(), '@Example.com'), quantity,"
                " unit_price, discount_amount, total_amount, ELT(1 + FLOOR(RAND() * 2), 'pending', 'paid'),"
                " CONCAT('cs_live_', SHA2(CONCAT(id, RAND()), 224)), NOW() - INTERVAL FLOOR(RAND() * 700) DAY"
                " FROM ticket_orders LIMIT %s",
                orders - there,
            )
        tell(there)
