"""Idempotency-Key: the same checkout, sent twice, makes one order (table `idempotency_keys`).

A key is claimed with the order that is made, as the last statement of its transaction; where that cannot be, in a
transaction of its own before anything else. A second click then sees at once that the first is running, and waits
without a lock or a connection. There is never an order that its key does not know. Only a success is kept as the reply.
A refusal or a failure of Stripe changed nothing, so it frees the key: the next try, also with another body, begins
anew.

- A second request while the first is running waits for the first's reply.
- An attempt that died half-way (its lock has run out, and there is no reply) is taken up where it stopped.
- A key is kept as long as the order's Checkout Session: the reply's address leads nowhere after that, nor when the
  order has ended before (expired, failed, cancelled, refunded).

Compare https://docs.stripe.com/api/idempotent_requests and
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from ticketing.checkout.errors import KeyConflict
from ticketing.database import Database, Statement, Transaction
from ticketing.errors import DatabaseUnavailable
from ticketing.orders.status import LIVE, OrderStatus

_REMOVED_AT_ONCE: Final = 200
# The states in which a kept reply still says the truth: the buyer can pay, or has paid.
_ANSWERED: Final = LIVE | {OrderStatus.PAID}
# Not INSERT IGNORE: that takes a shared lock on the row that it finds, and two of those deadlock.
_CLAIM: Final = (
    "INSERT INTO idempotency_keys (key_hash, request_hash, order_id, locked_until, expires_at)"
    " VALUES (%s, %s, {}, UTC_TIMESTAMP(6) + INTERVAL %s SECOND, UTC_TIMESTAMP(6) + INTERVAL %s SECOND)"
    " ON DUPLICATE KEY UPDATE key_hash = key_hash"
)


class Key(msgspec.Struct, frozen=True):
    """A caller's key within its scope, and the request it stands for; both as SHA-256 in hexadecimal."""

    key_hash: str
    request_hash: str


class Claimed(msgspec.Struct, frozen=True):
    """The key is this attempt's. `order_id` is the order of an attempt that stopped half-way."""

    order_id: int | None = None


class Answered(msgspec.Struct, frozen=True):
    """The first attempt succeeded with this reply, as JSON."""

    reply: str


class Running(msgspec.Struct, frozen=True):
    """Another attempt is still at work."""


def key_of(key: str, *, scope: tuple[str | int | None, ...], request: tuple[str | int | None, ...]) -> Key:
    """Make the key of a request: `scope` says whose key it is and for what, `request` is what was asked."""
    return Key(_hash((key, *scope)), _hash(request))


def claim(database: Database, key: Key, *, lock_seconds: int, keep_seconds: int) -> Claimed | Answered | Running:
    """Claim the key for this attempt, or say what an earlier one came to.

    An attempt without a reply counts as dead after `lock_seconds`: longer than any attempt may run. The key is kept for
    `keep_seconds`.

    Raises:
        KeyConflict: the key stands for another request.
        DatabaseUnavailable: try again.
    """
    with database.transaction() as tx:
        return _claim(tx, key, lock_seconds, keep_seconds)


def _claim(tx: Transaction, key: Key, lock_seconds: int, keep_seconds: int) -> Claimed | Answered | Running:
    inserted = tx.change(_CLAIM.format("NULL"), key.key_hash, key.request_hash, lock_seconds, keep_seconds)
    if inserted == 1:
        return Claimed()
    row = tx.one(
        "SELECT request_hash, order_id, response_body,"
        " COALESCE(locked_until > UTC_TIMESTAMP(6), 0) AS is_locked, expires_at <= UTC_TIMESTAMP(6) AS is_expired,"
        " (SELECT status FROM ticket_orders AS o WHERE o.id = idempotency_keys.order_id) AS order_status"
        " FROM idempotency_keys WHERE key_hash = %s FOR UPDATE",
        key.key_hash,
    )
    if row is None:
        raise DatabaseUnavailable("An idempotency key was removed while it was read.")
    # The reply of an order that ended without a ticket, or whose row is gone, leads to a page on which nobody can pay.
    if row["is_expired"] or (row["response_body"] is not None and row["order_status"] not in _ANSWERED):
        _claim_again(tx, key, order_id=None, lock_seconds=lock_seconds, keep_seconds=keep_seconds)
        return Claimed()
    if row["request_hash"] != key.request_hash:
        raise KeyConflict("The idempotency key stands for another request.")
    if row["response_body"] is not None:
        return Answered(row["response_body"])
    if row["is_locked"]:
        return Running()
    _claim_again(tx, key, order_id=row["order_id"], lock_seconds=lock_seconds, keep_seconds=keep_seconds)
    return Claimed(row["order_id"])


def claiming(key: Key, *, lock_seconds: int, keep_seconds: int) -> Statement:
    """Give the statement that claims the key for the order that was inserted last; a known key it leaves alone."""
    return Statement(_CLAIM.format("LAST_INSERT_ID()"), key.key_hash, key.request_hash, lock_seconds, keep_seconds)


def noting_order(key: Key) -> Statement:
    """Give the statement that notes the order that was inserted last, so that another attempt can take it up."""
    return Statement("UPDATE idempotency_keys SET order_id = LAST_INSERT_ID() WHERE key_hash = %s", key.key_hash)


def note_order(tx: Transaction, key: Key, order_id: int) -> None:
    """Remember the order that answers this attempt, as it was made by an earlier one."""
    tx.change("UPDATE idempotency_keys SET order_id = %s WHERE key_hash = %s", order_id, key.key_hash)


def keeping_reply(key: Key, reply: str) -> Statement:
    """Give the statement that keeps the reply of a success (status 200) for every later request with this key."""
    return Statement(
        "UPDATE idempotency_keys SET response_status = 200, response_body = %s, locked_until = NULL"
        " WHERE key_hash = %s AND response_body IS NULL",
        reply,
        key.key_hash,
    )


def unlock(database: Database, key: Key) -> None:
    """Let the next request with this key take up at once what this attempt, for want of the database, left undone.

    Raises:
        DatabaseUnavailable: the key unlocks itself (`claim`).
    """
    with database.transaction() as tx:
        tx.change(
            "UPDATE idempotency_keys SET locked_until = NULL WHERE key_hash = %s AND response_body IS NULL",
            key.key_hash,
        )


def unlock_where_placed(database: Database, key: Key, order_mark: str) -> None:
    """Unlock the key where it was claimed with the order that has this mark: where nobody knows whether it was.

    Raises:
        DatabaseUnavailable: the key unlocks itself (`claim`).
    """
    with database.transaction() as tx:
        placed = tx.one(
            "SELECT k.order_id FROM idempotency_keys AS k JOIN ticket_orders AS o ON o.id = k.order_id"
            " WHERE k.key_hash = %s AND o.order_mark = %s",
            key.key_hash,
            order_mark,
        )
    if placed is not None:
        unlock(database, key)


def free(database: Database, key: Key) -> None:
    """Forget a key whose attempt came to nothing: the next request with it begins anew.

    Raises:
        DatabaseUnavailable: the key frees itself (`claim`).
    """
    with database.transaction() as tx:
        tx.change("DELETE FROM idempotency_keys WHERE key_hash = %s AND response_body IS NULL", key.key_hash)


def remove_expired(database: Database) -> int:
    """Remove some of the keys that have expired, and give how many.

    Raises:
        DatabaseUnavailable: some other time then.
    """
    with database.transaction() as tx:
        return tx.change(
            "DELETE FROM idempotency_keys WHERE expires_at < UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT %s",
            _REMOVED_AT_ONCE,
        )


def _claim_again(tx: Transaction, key: Key, *, order_id: int | None, lock_seconds: int, keep_seconds: int) -> None:
    tx.change(
        "UPDATE idempotency_keys SET request_hash = %s, order_id = %s, response_status = NULL, response_body = NULL,"
        " locked_until = UTC_TIMESTAMP(6) + INTERVAL %s SECOND,"
        " expires_at = UTC_TIMESTAMP(6) + INTERVAL %s SECOND WHERE key_hash = %s",
        key.request_hash,
        order_id,
        lock_seconds,
        keep_seconds,
        key.key_hash,
    )


def _hash(parts: tuple[str | int | None, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
