"""Where the stand-in keeps its objects: one SQLite database, in a file or in memory.

One connection under one lock. Every change is a transaction, so that of twenty threads that pay one
session exactly one finds it open; a request takes well below a millisecond of the lock.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from local.private_files import make_private
from local.stripe_stand_in.json_object import JsonObject

Kind = Literal[
    "checkout.session", "payment_intent", "charge", "refund", "dispute", "event", "connected_event", "ping",
    "balance_transaction", "payout", "file",
]  # fmt: skip

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    status TEXT,
    payment_intent TEXT,
    due REAL,
    body BLOB NOT NULL,
    private BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_newest ON objects (kind, created, sequence);
CREATE INDEX IF NOT EXISTS objects_of_payment ON objects (payment_intent) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_due ON objects (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS event_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    first_attempt_at REAL,
    next_attempt_at REAL NOT NULL DEFAULT 0,
    last_error TEXT
);
CREATE INDEX IF NOT EXISTS event_deliveries_pending ON event_deliveries (next_attempt_at, id) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS idempotency_keys (
    api_key TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    created REAL NOT NULL,
    path TEXT NOT NULL,
    parameters TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (api_key, idempotency_key)
);
"""
_INSERT = (
    "INSERT INTO objects (id, kind, created, status, payment_intent, due, body, private)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_CURSOR = "(SELECT created, sequence FROM objects WHERE id = ?)"
_COLUMNS = "id, kind, created, status, payment_intent, due, body, private"


@dataclass
class Record:
    """A stored object.

    Attributes:
        body: The object as the API shows it.
        private: What Stripe knows of it and does not show on it.
        status: What lists can be filtered by (a session's status, an event's type).
        payment_intent: The payment it belongs to; of a balance transaction the payout that paid it out.
        due: When (Unix time) something happens to it by itself: it expires, settles, is refunded.
    """

    kind: Kind
    body: JsonObject
    private: JsonObject = field(default_factory=dict)
    status: str | None = None
    payment_intent: str | None = None
    due: float | None = None

    @property
    def id(self) -> str:
        """The object's id."""
        return str(self.body["id"])


@dataclass(frozen=True)
class Query:
    """Which objects a list asks for; every condition must hold. `*` in a status stands for any text."""

    statuses: Sequence[str] = ()
    payment_intent: str | None = None
    created: tuple[tuple[str, int], ...] = ()  # ((">=", 1700000000), …)
    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


class Store:
    """Objects, deliveries and idempotency keys. Safe under any number of threads.

    Args:
        path: The database file, made with its folder when it does not exist; None keeps all in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the database; see the class."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            make_private(path)  # SQLite gives its -wal and -shm the same permissions
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(
            path or ":memory:",
            check_same_thread=False,  # the lock below does what the check would
            isolation_level=None,
        )
        # A crash of the machine may lose the last moments of a stand-in; a crash of the process may not.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database. The store is of no use afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and one transaction; an inner one joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._connection
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            except BaseException:
                # After some errors, such as a full disk, SQLite has rolled back (https://sqlite.org/lang_transaction.html).
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def insert(self, *records: Record) -> None:
        """Store new objects."""
        self.insert_many(records)

    def insert_many(self, records: Iterable[Record]) -> None:
        """Store many new objects in one transaction."""
        rows = (
            (
                record.id,
                record.kind,
                record.body["created"],
                record.status,
                record.payment_intent,
                record.due,
                _encode(record.body),
                _encode(record.private),
            )
            for record in records
        )
        with self.transaction() as connection:
            connection.executemany(_INSERT, rows)

    def update(self, record: Record) -> None:
        """Store an object's new state."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE objects SET status = ?, payment_intent = ?, due = ?, body = ?, private = ? WHERE id = ?",
                (
                    record.status,
                    record.payment_intent,
                    record.due,
                    _encode(record.body),
                    _encode(record.private),
                    record.id,
                ),
            )

    def get(self, kind: Kind, object_id: str) -> Record | None:
        """Return one object, or None."""
        with self._lock:
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE id = ? AND kind = ?",  # noqa: S608 - constants
                (object_id, kind),
            ).fetchone()
        return _record(row) if row else None

    def find(self, object_id: str) -> Record | None:
        """Return an object of whatever kind, or None."""
        with self._lock:
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE id = ?",  # noqa: S608 - constants
                (object_id,),
            ).fetchone()
        return _record(row) if row else None

    def page(self, kind: Kind, query: Query) -> tuple[list[Record], bool]:
        """Return one page of a list, newest first, and whether there is more in that direction."""
        clauses, values = ["kind = ?"], [kind]
        arguments: list[object] = list(values)
        if query.statuses:
            clauses.append(f"({' OR '.join(['status GLOB ?'] * len(query.statuses))})")
            arguments.extend(query.statuses)
        if query.payment_intent is not None:
            clauses.append("payment_intent = ?")
            arguments.append(query.payment_intent)
        for comparison, moment in query.created:
            clauses.append(f"created {comparison} ?")
            arguments.append(moment)
        backwards = query.ending_before is not None
        cursor = query.ending_before or query.starting_after
        if cursor is not None:
            comparison = ">" if backwards else "<"
            clauses.append(f"(created, sequence) {comparison} {_CURSOR}")
            arguments.append(cursor)
        order = "ASC" if backwards else "DESC"
        statement = (
            f"SELECT {_COLUMNS} FROM objects WHERE {' AND '.join(clauses)}"  # noqa: S608 - fixed texts, bound values
            f" ORDER BY created {order}, sequence {order} LIMIT ?"
        )
        with self._lock:
            rows = self._connection.execute(statement, [*arguments, query.limit + 1]).fetchall()
        records = [_record(row) for row in rows[: query.limit]]
        return (records[::-1] if backwards else records), len(rows) > query.limit

    def of_payment(self, kind: Kind, payment_intent: str) -> list[Record]:
        """Return the objects that belong to a payment, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE payment_intent = ? AND kind = ? ORDER BY sequence",  # noqa: S608
                (payment_intent, kind),
            ).fetchall()
        return [_record(row) for row in rows]

    def unpaid_transactions(self, available_until: float | None) -> list[Record]:
        """Return the balance transactions that no payout has paid out; with a time: that are available by then."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE kind = 'balance_transaction' AND payment_intent IS NULL"  # noqa: S608
                " ORDER BY created, sequence"
            ).fetchall()
        found = [_record(row) for row in rows]
        return [item for item in found if available_until is None or item.body["available_on"] <= available_until]

    def mark_paid_out(self, transactions: Iterable[str], payout: str) -> None:
        """Note which payout paid out some balance transactions."""
        with self.transaction() as connection:
            connection.executemany(
                "UPDATE objects SET payment_intent = ? WHERE id = ?", [(payout, item) for item in transactions]
            )

    def due(self, now: float, limit: int = 200) -> list[Record]:
        """Return objects to which something happens by itself now."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE due <= ? ORDER BY due LIMIT ?",  # noqa: S608
                (now, limit),
            ).fetchall()
        return [_record(row) for row in rows]


def _encode(value: JsonObject) -> bytes:
    return msgspec.json.encode(value)


def _decode(text: bytes) -> JsonObject:
    value: JsonObject = msgspec.json.decode(text)
    return value


def _record(row: tuple[str, Kind, int, str | None, str | None, float | None, bytes, bytes]) -> Record:
    _, kind, _, status, payment_intent, due, body, private = row
    return Record(
        kind=kind,
        body=_decode(body),
        private=_decode(private),
        status=status,
        payment_intent=payment_intent,
        due=due,
    )
