"""Places an order: priced, its seats and code use held, and inserted, in one short transaction.

Lock order: the ticket's row, the code's, then the new order's, which is nobody else's yet. The INSERT comes after them:
where a live table has foreign keys to tickets or codes it takes a shared lock on the parent's row, and two buyers who
both have one and both want to change that row wait for each other in a circle. The ticket's row is shared by all its
buyers, so it is locked as late as possible, only if what is committed leaves enough seats, and only for as long as the
server needs by itself: all that changes rows is one block, which ends with COMMIT, or with ROLLBACK where one of its
statements found no row to change. Once the ticket is locked, who opened the checkout is noted: of two requests of one
buyer, or of one client, the later sees the earlier one. The idempotency key's row comes last.
See docs/rules.md, "Seats", "Money" and "Discount codes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from ticketing import dates
from ticketing.checkout import discount_codes, openers, pricing
from ticketing.checkout.errors import (
    CheckoutBusy,
    CodeRefused,
    EarlierFound,
    KeyNotNoted,
    NotEnoughSeats,
    NotOnSale,
    TicketNotFound,
    TooManyHeld,
)
from ticketing.checkout.openers import Bounds, Client
from ticketing.checkout.pricing import Discount, Price
from ticketing.database import Database, Row, Statement, Transaction
from ticketing.orders import checkouts, holds
from ticketing.orders.checkouts import Opener
from ticketing.orders.status import OrderStatus
from ticketing.schema.live_tables import PLACED_COLUMNS
from ticketing.stripe.open_session import hold_end

# Between the look at what is left and the hold, seats may go and come free again: then it is tried again.
_ATTEMPTS: Final = 3
# Of a name, as `bought_ticket` and `bought_event` keep it.
_LONGEST_NAME: Final = 255

# With the date discount that ends first (one without an end, NULL or a zero date, of which the year is 0, comes last).
_TICKET: Final = (
    "SELECT t.name, t.price, t.is_active, t.max_quantity,"
    " COALESCE(t.sold_quantity, 0) AS sold, t.held_quantity AS held,"
    " e.name AS event_name, e.start_date, e.end_date, d.discount_type, d.discount_value"
    " FROM tickets t JOIN events e ON e.id = t.event_id"
    " LEFT JOIN ticket_discounts d ON d.id = (SELECT i.id FROM ticket_discounts i WHERE i.ticket_id = t.id"
    " AND i.is_active = 1 AND (COALESCE(YEAR(i.valid_until), 0) = 0 OR i.valid_until >= %s)"
    " ORDER BY COALESCE(YEAR(i.valid_until), 0) = 0, i.valid_until, i.id LIMIT 1)"
    " WHERE t.id = %s AND t.event_id = %s"
)
_INSERT: Final = (
    f"INSERT INTO ticket_orders ({', '.join(PLACED_COLUMNS)})"  # noqa: S608 -- constants
    f" VALUES ({', '.join(['%s'] * len(PLACED_COLUMNS))})"
)


class CheckoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer asks for. `cognito_sub` comes from a verified token only; None is a guest.

    `origin` is where the buyer returns to after the payment, e.g. `https://shop.example`; `cancel_route` the address of
    the route by which he gives the seats back, None where it is not known: then they are his until their time is over.
    `client` is where the request comes from, if that is known.
    """

    event_id: int
    ticket_id: int
    quantity: int
    email: str
    origin: str
    discount_code: str | None = None
    cognito_sub: str | None = None
    idempotency_key: str | None = None
    client: Client | None = None
    cancel_route: str | None = None


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that holds its seats and waits for a Checkout Session.

    `unit_minor` is the price of one seat in minor units of `currency`, `expires_at` when its session ends (Unix time).
    `begins_soon`: the event begins too soon for payment methods whose result takes days. `order_mark` None: an order
    from before marks. `cancel_token` is what gives the seats back; only its digest is kept.
    """

    order_id: int
    event_id: int
    ticket_id: int
    event_name: str
    ticket_name: str
    email: str
    quantity: int
    unit_minor: int
    currency: str
    expires_at: int
    begins_soon: bool
    order_mark: str | None
    cancel_token: str

    @property
    def asked_minor(self) -> int:
        """What its Checkout Session asks for in all."""
        return self.unit_minor * self.quantity


class CheckoutTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the deployment decides.

    `currency` is the shop's (ISO code), `hold_seconds` how long seats are held, `lock_seconds` longer than a checkout
    may take: an attempt that is still alive is never taken for dead. Payment methods whose result takes days are not
    offered for an event that begins in less than `delayed_method_days` days. `bounds`: what one client may hold.
    """

    currency: str
    hold_seconds: int
    lock_seconds: int
    delayed_method_days: int
    bounds: Bounds = Bounds(per_account=0, per_network=0)


def opener_of(request: CheckoutRequest, terms: CheckoutTerms) -> Opener:
    """Say who asks for what, in digests."""
    return openers.opener_of(
        ticket_id=request.ticket_id,
        quantity=request.quantity,
        email=request.email,
        code=request.discount_code,
        cognito_sub=request.cognito_sub,
        client=request.client,
        bounds=terms.bounds,
    )


def place(
    database: Database,
    request: CheckoutRequest,
    terms: CheckoutTerms,
    *,
    expires_at: int,
    mark: str,
    key_noted: Statement | None = None,
    beside: int = 0,
) -> PlacedOrder:
    """Price the order, hold its seats and its code use, and insert it as `pending`, in one transaction.

    Its session ends at `expires_at` (Unix time), its hold then or before; it gets this `mark`. `key_noted` notes it for
    the request's idempotency key. `beside`: an order of the same buyer that is no obstacle, nor are those before it.

    Raises:
        EarlierFound: the buyer has another checkout for this ticket that waits; nothing is held, as with all of these.
        KeyNotNoted: `key_noted` changed nothing.
        CheckoutRefused: and why.
        DatabaseUnavailable: try again; it may have happened, where the connection was lost.
    """
    for _ in range(_ATTEMPTS):
        placed = _place(database, request, terms, expires_at, mark, key_noted, beside)
        if placed is not None:
            return placed
    raise CheckoutBusy("Seats or uses came free and were gone again each time.")


def _place(
    database: Database,
    request: CheckoutRequest,
    terms: CheckoutTerms,
    expires_at: int,
    mark: str,
    key_noted: Statement | None,
    beside: int,
) -> PlacedOrder | None:
    """Place the order; None, and nothing changed, if what was free at the first look was not any more."""
    now = dates.utc_naive(datetime.now(UTC))
    opener, token = opener_of(request, terms), openers.new_token()
    with database.transaction() as tx:
        ticket = _ticket_on_sale(tx, request, now)
        try:
            usable, price = _price(tx, request, terms, ticket, now)
            # What is committed already says no: then nobody's row needs to be locked. The hold below decides.
            _check_left(ticket, request.quantity)
        except (NotEnoughSeats, CodeRefused):
            # An earlier checkout of the same buyer may have taken them: then he has them.
            _check_opener(tx, request, opener, beside)
            raise
        steps = {
            "seats": holds.taking_seats(ticket_id=request.ticket_id, quantity=request.quantity),
            **({} if usable is None else {"code": holds.taking_code_use(code_id=usable.code_id)}),
            "order": _inserting(
                request,
                ticket,
                price,
                mark,
                code_id=None if usable is None else usable.code_id,
                hold_ends_at=hold_end(expires_at, hold_seconds=terms.hold_seconds),
            ),
            "opener": checkouts.noting(
                opener,
                ticket_id=request.ticket_id,
                quantity=request.quantity,
                token_hash=openers.hash_of_token(token),
                beside=beside,
            ),
            **({} if key_noted is None else {"key": key_noted}),
        }
        finish = tx.finish(list(steps.values()))
    if not finish.committed:
        missing = list(steps)[finish.changed]
        if missing == "opener":
            with database.transaction() as tx:
                _check_opener(tx, request, opener, beside)
        if missing == "key":
            raise KeyNotNoted("The idempotency key was claimed or removed by another request.")
        return None
    return PlacedOrder(
        order_id=finish.new_id,
        event_id=request.event_id,
        ticket_id=request.ticket_id,
        event_name=ticket["event_name"],
        ticket_name=ticket["name"],
        email=request.email,
        quantity=request.quantity,
        unit_minor=price.unit_minor,
        currency=price.currency,
        expires_at=expires_at,
        begins_soon=begins_soon(ticket, terms, now),
        order_mark=mark,
        cancel_token=token,
    )


def _price(
    tx: Transaction, request: CheckoutRequest, terms: CheckoutTerms, ticket: Row, now: datetime
) -> tuple[discount_codes.UsableCode | None, Price]:
    """Find the code, and say what the seats cost."""
    code = discount_codes.normalised(request.discount_code)
    usable = None if code is None else discount_codes.find_usable(tx, event_id=request.event_id, code=code, now=now)
    return usable, pricing.price_order(
        base_price=ticket["price"],
        quantity=request.quantity,
        discount=_date_discount(ticket) if usable is None else usable.discount,
        currency=terms.currency,
    )


def _check_opener(tx: Transaction, request: CheckoutRequest, opener: Opener, beside: int) -> None:
    obstacle = checkouts.find_obstacle(
        tx, opener, ticket_id=request.ticket_id, quantity=request.quantity, beside=beside
    )
    if obstacle == "too_many":
        raise TooManyHeld("The client holds as many seats of this ticket as it may.")
    if obstacle is not None:
        raise EarlierFound(obstacle)


def begins_soon(event: Row, terms: CheckoutTerms, now: datetime) -> bool:
    """Tell whether an event (its dates) begins too soon for payment methods whose result takes days."""
    return dates.begins_within(
        terms.delayed_method_days, start_date=event["start_date"], end_date=event["end_date"], now=now
    )


def _ticket_on_sale(tx: Transaction, request: CheckoutRequest, now: datetime) -> Row:
    # One statement, one moment: ticket, event and date discount belong together.
    ticket = tx.one(_TICKET, dates.earliest_valid_day(now), request.ticket_id, request.event_id)
    if ticket is None:
        raise TicketNotFound("There is no such ticket.")
    is_over = dates.is_event_over(start_date=ticket["start_date"], end_date=ticket["end_date"], now=now)
    if is_over or not ticket["is_active"] or ticket["price"] is None:
        raise NotOnSale("The ticket is not active or has no price, or its event is over.")
    return ticket


def _date_discount(ticket: Row) -> Discount | None:
    if ticket["discount_type"] is None or ticket["discount_value"] is None:
        return None
    return Discount(discount_type=ticket["discount_type"], value=ticket["discount_value"])


def _check_left(ticket: Row, quantity: int) -> None:
    if ticket["max_quantity"] is None:
        return
    unsold = ticket["max_quantity"] - ticket["sold"]
    if unsold - ticket["held"] < quantity:
        raise NotEnoughSeats(available=unsold - ticket["held"], unsold=unsold)


def _inserting(
    request: CheckoutRequest,
    ticket: Row,
    price: Price,
    mark: str,
    *,
    code_id: int | None,
    hold_ends_at: int,
) -> Statement:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    values = (
        request.event_id,
        request.ticket_id,
        request.cognito_sub,
        request.email,
        request.quantity,
        price.unit_price,
        price.discount_amount,
        code_id,
        price.total_amount,
        price.currency,
        OrderStatus.PENDING,
        request.quantity,
        request.ticket_id,
        int(code_id is not None),
        code_id,
        datetime.fromtimestamp(hold_ends_at, UTC).replace(tzinfo=None),
        mark,
        price.unit_minor * request.quantity,
        price.currency,
        (ticket["name"] or "")[:_LONGEST_NAME] or None,
        (ticket["event_name"] or "")[:_LONGEST_NAME] or None,
        now,
        now,
    )
    return Statement(_INSERT, *values)
