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
from ticketing.checkout import discount_codes, idempotency
from ticketing.checkout.errors import AmountTooLarge, AmountTooSmall, CheckoutBusy, CheckoutRefused, InvalidForm
from ticketing.checkout.placement import CheckoutRequest, CheckoutTerms, PlacedOrder, begins_soon, place
from ticketing.checkout.session_request import session_request
from ticketing.database import Database, Transaction
from ticketing.errors import ConfigurationError, DatabaseUnavailable, DataInconsistent, StripeUnavailable
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

# In `order_history`, where other entries name the Stripe event that caused them.
_CAUSE: Final = "checkout"


class CheckoutReply(msgspec.Struct, frozen=True, kw_only=True):
    """Where the buyer pays, and what for."""

    checkout_url: str
    session_id: str
    order_id: str


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
    placed = _place_or_wait(database, request, terms, key, answer_by)
    if isinstance(placed, idempotency.Answered):
        return msgspec.json.decode(placed.reply, type=CheckoutReply)
    try:
        session = sessions.open(session_request(placed, origin=request.origin), retries=_retries_left(answer_by))
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


def _place_or_wait(
    database: Database, request: CheckoutRequest, terms: CheckoutTerms, key: idempotency.Key | None, answer_by: float
) -> PlacedOrder | idempotency.Answered:
    expires_at = session_expiry(datetime.now(UTC), hold_seconds=terms.hold_seconds)
    if key is None:
        with database.transaction() as tx:
            return place(tx, request, terms, expires_at=expires_at, key=None)
    claimed = _claim_or_wait(database, key, terms, keep_seconds=expires_at - int(time.time()), answer_by=answer_by)
    if isinstance(claimed, idempotency.Answered):
        return claimed
    try:
        return _take_up_or_place(database, request, terms, key, claimed)
    except CheckoutRefused:
        # Nothing is held, so nothing is to be taken up.
        with contextlib.suppress(DatabaseUnavailable):
            idempotency.free(database, key)
        raise
    except DatabaseUnavailable:
        _unlock(database, key)
        raise


def _claim_or_wait(
    database: Database, key: idempotency.Key, terms: CheckoutTerms, *, keep_seconds: int, answer_by: float
) -> idempotency.Claimed | idempotency.Answered:
    deadline = min(time.monotonic() + _WAIT_SECONDS, answer_by - _FINISH_SECONDS)
    while True:
        known = idempotency.claim(database, key, lock_seconds=terms.lock_seconds, keep_seconds=keep_seconds)
        if not isinstance(known, idempotency.Running):
            return known
        if time.monotonic() >= deadline:
            raise CheckoutBusy("The same request is still running.")
        time.sleep(_LOOK_EVERY_SECONDS)


def _take_up_or_place(
    database: Database,
    request: CheckoutRequest,
    terms: CheckoutTerms,
    key: idempotency.Key,
    claimed: idempotency.Claimed,
) -> PlacedOrder:
    if claimed.order_id is not None:
        unfinished = _unfinished(database, claimed.order_id, terms)
        if unfinished is not None:
            return unfinished
    expires_at = session_expiry(datetime.now(UTC), hold_seconds=terms.hold_seconds)
    with database.transaction() as tx:
        return place(tx, request, terms, expires_at=expires_at, key=key)


def _unfinished(database: Database, order_id: int, terms: CheckoutTerms) -> PlacedOrder | None:
    """Give the order of an attempt that died before its reply, as that attempt had it; None if it is of no use.

    Without a session it has not been paid, and nobody has seen it: an order that is too old for Stripe's shortest
    session is ended, so that another can be made.
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
    ends = row["hold_expires_at"].replace(tzinfo=UTC)
    if ends < datetime.now(UTC) + timedelta(seconds=SHORTEST_SECONDS):
        release_order(database, order_id, lost_as="failed", stripe_event_id=_CAUSE)
        return None
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
        expires_at=int(ends.timestamp()),
        begins_soon=begins_soon(row, terms, dates.utc_naive(datetime.now(UTC))),
        order_mark=row["order_mark"],
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
    with database.transaction() as tx:
        changed = tx.change(
            "UPDATE ticket_orders SET stripe_checkout_session_id = %s, asked_minor = %s, asked_currency = %s,"
            " checkout_url = %s WHERE id = %s AND stripe_checkout_session_id IS NULL",
            session.session_id,
            placed.asked_minor,
            placed.currency,
            session.url,
            placed.order_id,
        )
        if changed != 1:
            _check_same_session(tx, placed.order_id, session)
        if key is not None:
            idempotency.keep_reply(tx, key, msgspec.json.encode(reply).decode())


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
