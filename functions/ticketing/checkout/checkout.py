"""The checkout: an order that holds its seats, then a Checkout Session in which it is paid.

1. One short transaction: the order, with its seats and its code use held (`placement`).
2. Stripe, outside any transaction: open the order's Checkout Session.
3. One short transaction: the session's id onto the order.

If Stripe fails, the order fails and its hold is given back. If the process dies after step 1, the sweep ends the
order when its hold is over; if it dies after step 2, nobody knows the session's address, so nobody can pay it.
See docs/rules.md.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ticketing import dates, money
from ticketing.checkout import discount_codes, idempotency, openers
from ticketing.checkout.errors import (
    AmountTooLarge,
    AmountTooSmall,
    CheckoutBusy,
    CheckoutRefused,
    EarlierFound,
    InvalidForm,
    KeyNotNoted,
)
from ticketing.checkout.obstacles import place_past_obstacles
from ticketing.checkout.placement import (
    CheckoutRequest,
    CheckoutTerms,
    PlacedOrder,
    begins_soon,
    opener_of,
    place,
)
from ticketing.checkout.reply import CheckoutReply
from ticketing.checkout.session_request import session_request
from ticketing.database import Database, Statement, Transaction
from ticketing.errors import ConfigurationError, DatabaseUnavailable, DataInconsistent, StripeUnavailable
from ticketing.orders import checkouts
from ticketing.orders.mark import new_mark
from ticketing.orders.status import OrderStatus
from ticketing.payments.release import release_order
from ticketing.stripe.client import NETWORK_RETRIES, StripeRefused, longest_seconds
from ticketing.stripe.open_session import SHORTEST_SECONDS, CheckoutSessions, OpenSession, session_expiry

# How long a second click waits for the first one's reply, and how often it looks, in seconds. Stripe takes half a
# second, so nearly all get their reply; the others are told to try again.
_WAIT_SECONDS: Final = 8.0
_LOOK_EVERY_SECONDS: Final = 0.2

# One checkout of so many, by chance, also removes expired idempotency keys, so that they need no schedule of their own.
# Not by the order's number: where MariaDB counts in steps, some remainders never come.
_TIDY_EVERY: Final = 100

# What the last step needs of the time that is left, in seconds.
_FINISH_SECONDS: Final = 2.0

# An attempt that died longer ago than this is not taken up where holds are short.
_DEAD_SECONDS: Final = 60

# In `order_history`, where other entries name the Stripe event that caused them.
_CAUSE: Final = "checkout"


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout under way."""

    database: Database
    sessions: CheckoutSessions
    request: CheckoutRequest
    terms: CheckoutTerms
    key: idempotency.Key | None
    mark: str
    answer_by: float


def check_out(
    database: Database,
    sessions: CheckoutSessions,
    request: CheckoutRequest,
    terms: CheckoutTerms,
    *,
    answer_by: float = math.inf,
) -> CheckoutReply:
    """Make an order with its seats held, and open the Checkout Session in which it is paid.

    `answer_by` is the moment (`time.monotonic`) after which nobody waits for the reply any more: what does not fit
    into the time before is not begun, so that nothing is held that nobody knows of.

    Raises:
        CheckoutRefused: and why; nothing is held.
        StripeUnavailable: Stripe failed; the order is `failed` and holds nothing.
        StripeRefused: Stripe will not take this order, whoever asks; likewise.
        ConfigurationError: Stripe refuses the shop's key; likewise.
        DataInconsistent: the order got another session meanwhile, or a hold could not be given back.
        DatabaseUnavailable: try again.
    """
    _retries_left(answer_by)
    key = _key(request)
    work = _Work(
        database=database,
        sessions=sessions,
        request=request,
        terms=terms,
        key=key,
        mark=new_mark(),
        answer_by=answer_by,
    )
    placed = _place_or_wait(work)
    if isinstance(placed, CheckoutReply):
        return placed
    asked = session_request(placed, origin=request.origin, cancel_route=request.cancel_route)
    try:
        session = sessions.open(asked, retries=_retries_left(answer_by))
    except (CheckoutRefused, StripeUnavailable, ConfigurationError):
        _give_up(database, placed.order_id, key)
        raise
    except StripeRefused as error:
        _give_up(database, placed.order_id, key)
        raise _meaning(error) from error
    reply = CheckoutReply(checkout_url=session.url, session_id=session.session_id, order_id=str(placed.order_id))
    _finish(database, placed, session, reply, key)
    _tidy(database)
    return reply


def _key(request: CheckoutRequest) -> idempotency.Key | None:
    if request.idempotency_key is None:
        return None
    return idempotency.key_of(
        request.idempotency_key,
        scope=(request.event_id, request.ticket_id, request.cognito_sub),
        request=(request.quantity, request.email, discount_codes.normalised(request.discount_code)),
    )


def _place_or_wait(work: _Work) -> PlacedOrder | CheckoutReply:
    key, terms = work.key, work.terms
    if key is None:
        return _place(work)
    keep_seconds = _expires_at(terms) - int(time.time())
    placed_at_once = _place_and_claim(work, key, keep_seconds)
    if placed_at_once is not None:
        return placed_at_once
    claimed = _claim_or_wait(work.database, key, terms, keep_seconds=keep_seconds, answer_by=work.answer_by)
    if isinstance(claimed, idempotency.Answered):
        return msgspec.json.decode(claimed.reply, type=CheckoutReply)
    try:
        unfinished = None if claimed.order_id is None else _unfinished(work.database, claimed.order_id, terms)
        if unfinished is not None:
            return unfinished
        placed = _place(work)
        if isinstance(placed, CheckoutReply):
            _keep_reply(work.database, key, placed)
    except (CheckoutRefused, StripeUnavailable, ConfigurationError):
        # Nothing is held, so nothing is to be taken up.
        with contextlib.suppress(DatabaseUnavailable):
            idempotency.free(work.database, key)
        raise
    except DatabaseUnavailable:
        _unlock(work.database, key)
        raise
    return placed


def _place_and_claim(work: _Work, key: idempotency.Key, keep_seconds: int) -> PlacedOrder | None:
    """Place the order and claim its key with it; None where that does not go at once, and nothing was changed.

    Whatever stands in the way is looked at again once the key is claimed: an earlier attempt's reply comes first.
    """
    claiming = idempotency.claiming(key, lock_seconds=work.terms.lock_seconds, keep_seconds=keep_seconds)
    try:
        return _place_beside(work, 0, claiming)
    except (CheckoutRefused, EarlierFound, KeyNotNoted):
        return None
    except DatabaseUnavailable:
        with contextlib.suppress(DatabaseUnavailable):
            idempotency.unlock_where_placed(work.database, key, work.mark)
        raise


def _place(work: _Work) -> PlacedOrder | CheckoutReply:
    request, terms = work.request, work.terms
    noting = None if work.key is None else idempotency.noting_order(work.key)
    return place_past_obstacles(
        work.database,
        work.sessions,
        lambda order_id: _place_beside(work, order_id, noting),
        opener=opener_of(request, terms),
        ticket_id=request.ticket_id,
        quantity=request.quantity,
        lock_seconds=terms.lock_seconds,
        wait_until=_wait_until(work.answer_by),
        begin_by=work.answer_by - _FINISH_SECONDS - longest_seconds(0),
    )


def _place_beside(work: _Work, order_id: int, key_noted: Statement | None) -> PlacedOrder:
    return place(
        work.database,
        work.request,
        work.terms,
        expires_at=_expires_at(work.terms),
        mark=work.mark,
        key_noted=key_noted,
        beside=order_id,
    )


def _expires_at(terms: CheckoutTerms) -> int:
    return session_expiry(datetime.now(UTC), hold_seconds=terms.hold_seconds)


def _keep_reply(database: Database, key: idempotency.Key, reply: CheckoutReply) -> None:
    with database.transaction() as tx:
        idempotency.note_order(tx, key, int(reply.order_id))
        _keep(tx, key, reply)


def _keep(tx: Transaction, key: idempotency.Key, reply: CheckoutReply) -> None:
    tx.send(_keeping(key, reply))


def _keeping(key: idempotency.Key, reply: CheckoutReply) -> Statement:
    return idempotency.keeping_reply(key, msgspec.json.encode(reply).decode())


def _wait_until(answer_by: float) -> float:
    return min(time.monotonic() + _WAIT_SECONDS, answer_by - _FINISH_SECONDS)


def _claim_or_wait(
    database: Database, key: idempotency.Key, terms: CheckoutTerms, *, keep_seconds: int, answer_by: float
) -> idempotency.Claimed | idempotency.Answered:
    deadline = _wait_until(answer_by)
    while True:
        known = idempotency.claim(database, key, lock_seconds=terms.lock_seconds, keep_seconds=keep_seconds)
        if not isinstance(known, idempotency.Running):
            return known
        if time.monotonic() >= deadline:
            raise CheckoutBusy("The same request is still running.")
        time.sleep(_LOOK_EVERY_SECONDS)


def _unfinished(database: Database, order_id: int, terms: CheckoutTerms) -> PlacedOrder | None:
    """Give the order of an attempt that died before its reply, as that attempt had it; None if it is of no use.

    Without a session it has not been paid, and nobody has seen it: an order that is too old for Stripe's shortest
    session, or of whose short hold a minute is gone, is ended, so that another can be made.
    """
    with database.transaction() as tx:
        row = tx.one(
            "SELECT o.event_id, o.ticket_id, o.email, o.quantity, o.unit_price, o.currency, o.status, o.order_mark,"
            " o.hold_expires_at, t.name AS ticket_name, e.name AS event_name, e.start_date, e.end_date"
            " FROM ticket_orders o JOIN tickets t ON t.id = o.ticket_id JOIN events e ON e.id = o.event_id"
            " WHERE o.id = %s",
            order_id,
        )
    if row is None or row["status"] != OrderStatus.PENDING or row["hold_expires_at"] is None:
        return None  # ended meanwhile, by Stripe's failure or by the sweep
    now = datetime.now(UTC)
    ends = row["hold_expires_at"].replace(tzinfo=UTC)
    is_short = terms.hold_seconds < SHORTEST_SECONDS
    if ends < now + timedelta(seconds=terms.hold_seconds - _DEAD_SECONDS if is_short else SHORTEST_SECONDS):
        release_order(database, order_id, lost_as="failed", stripe_event_id=_CAUSE)
        return None
    token = openers.new_token()
    with database.transaction() as tx:
        checkouts.renew_token(tx, order_id=order_id, token_hash=openers.hash_of_token(token))
    return PlacedOrder(
        order_id=order_id,
        event_id=row["event_id"],
        ticket_id=row["ticket_id"],
        event_name=row["event_name"],
        ticket_name=row["ticket_name"],
        email=row["email"],
        quantity=row["quantity"],
        unit_minor=money.to_minor_units(row["unit_price"], row["currency"]),
        currency=row["currency"],
        expires_at=session_expiry(now, hold_seconds=terms.hold_seconds) if is_short else int(ends.timestamp()),
        begins_soon=begins_soon(row, terms, dates.utc_naive(datetime.now(UTC))),
        order_mark=row["order_mark"],
        cancel_token=token,
    )


def _retries_left(answer_by: float) -> int:
    """Give how often Stripe may be asked again in the time that is left.

    Raises:
        CheckoutBusy: there is no time to ask it at all.
    """
    left = answer_by - _FINISH_SECONDS - time.monotonic()
    for retries in range(NETWORK_RETRIES, -1, -1):
        if longest_seconds(retries) <= left:
            return retries
    raise CheckoutBusy("There is no time left to ask Stripe.")


def _finish(
    database: Database, placed: PlacedOrder, session: OpenSession, reply: CheckoutReply, key: idempotency.Key | None
) -> None:
    try:
        _store(database, placed, session, reply, key)
    except DatabaseUnavailable:
        # Guarded, so safe to run again: one more try on a new connection before the buyer is sent away.
        try:
            _store(database, placed, session, reply, key)
        except DatabaseUnavailable:
            _unlock(database, key)
            raise


def _store(
    database: Database, placed: PlacedOrder, session: OpenSession, reply: CheckoutReply, key: idempotency.Key | None
) -> None:
    stored = Statement(
        "UPDATE ticket_orders SET stripe_checkout_session_id = %s, asked_minor = %s, asked_currency = %s,"
        " checkout_url = %s WHERE id = %s AND stripe_checkout_session_id IS NULL",
        session.session_id,
        placed.asked_minor,
        placed.currency,
        session.url,
        placed.order_id,
    )
    with database.transaction() as tx:
        if tx.finish([stored], [] if key is None else [_keeping(key, reply)]).committed:
            return
    with database.transaction() as tx:
        _check_same_session(tx, placed.order_id, session)
        if key is not None:
            _keep(tx, key, reply)


def _check_same_session(tx: Transaction, order_id: int, session: OpenSession) -> None:
    order = tx.one("SELECT stripe_checkout_session_id FROM ticket_orders WHERE id = %s", order_id)
    known = None if order is None else order["stripe_checkout_session_id"]
    if known != session.session_id:
        raise DataInconsistent(
            f"Order {order_id} has the Checkout Session {known}, but the checkout opened {session.session_id} for it."
        )


def _give_up(database: Database, order_id: int, key: idempotency.Key | None) -> None:
    # If the database is away too, the sweep gives the hold back, and the key frees itself.
    with contextlib.suppress(DatabaseUnavailable):
        release_order(database, order_id, lost_as="failed", stripe_event_id=_CAUSE)
        if key is not None:
            idempotency.free(database, key)


def _unlock(database: Database, key: idempotency.Key | None) -> None:
    if key is not None:
        with contextlib.suppress(DatabaseUnavailable):
            idempotency.unlock(database, key)


def _meaning(refused: StripeRefused) -> CheckoutRefused | StripeRefused:
    """Give what a refusal of Stripe's means to the buyer; where it means nothing to him, the refusal itself."""
    if refused.code == "amount_too_small":
        return AmountTooSmall()  # in a currency whose bound we do not know
    if refused.code == "amount_too_large":
        return AmountTooLarge()
    if refused.parameter == "customer_email":
        # Stripe is stricter than we are; the buyer can mend it.
        return InvalidForm("This e-mail address cannot be used for a payment.")
    return refused


def _tidy(database: Database) -> None:
    if secrets.randbelow(_TIDY_EVERY) == 0:
        with contextlib.suppress(DatabaseUnavailable):
            idempotency.remove_expired(database)
            with database.transaction() as tx:
                checkouts.forget_old(tx)
