"""What an order would cost today, beside what was asked for it: a difference is shown, never charged silently."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from ticketing import dates, money
from ticketing.checkout import pricing
from ticketing.checkout.errors import CheckoutRefused
from ticketing.checkout.pricing import Discount
from ticketing.database import Row, Transaction
from ticketing.orders.status import OrderStatus

# The date discount that a checkout takes (`ticketing.checkout.placement`): the one that ends first.
_DATE_DISCOUNT: Final = (
    "SELECT discount_type, discount_value FROM ticket_discounts WHERE ticket_id = %s AND is_active = 1"
    " AND (COALESCE(YEAR(valid_until), 0) = 0 OR valid_until >= %s)"
    " ORDER BY COALESCE(YEAR(valid_until), 0) = 0, valid_until, id LIMIT 1"
)


def difference(tx: Transaction, order: Row, *, ticket_id: int, quantity: int, code_id: int | None) -> str:
    """Say in sentences what such an order costs today, and what is not charged and not refunded by itself.

    `order` has `id`, `status`, `total_amount`, `currency` and `refunded_amount`. Empty where it costs the same.
    """
    ticket = tx.one("SELECT price FROM tickets WHERE id = %s", ticket_id)
    if ticket is None:
        return ""
    row = (
        None
        if code_id is None
        else tx.one("SELECT discount_type, discount_value FROM discount_codes WHERE id = %s", code_id)
    )
    today = dates.earliest_valid_day(dates.utc_naive(datetime.now(UTC)))
    row = row or tx.one(_DATE_DISCOUNT, ticket_id, today)
    discount = None if row is None else Discount(discount_type=row["discount_type"], value=row["discount_value"])
    currency = str(order["currency"])
    try:
        price = pricing.price_order(
            base_price=ticket["price"], quantity=quantity, discount=discount, currency=currency
        ).total_amount
    except CheckoutRefused:
        return "Stripe could not charge what such an order costs today."
    stands = Decimal(order["total_amount"]) - Decimal(order["refunded_amount"])
    more = price - stands
    if not more:
        return ""
    said = f"Today {quantity} x ticket {ticket_id} costs {_format(price, currency)}; this order stands at"
    said += f" {_format(stands, currency)}."
    if more > 0:
        return f"{said} The difference of {_format(more, currency)} is NOT charged: ask the buyer for it, or leave it."
    return f"{said} The difference of {_format(-more, currency)} is NOT refunded" + (
        f": cachao refund {order['id']} --amount {-more} does that." if order["status"] == OrderStatus.PAID else "."
    )


def _format(amount: Decimal, currency: str) -> str:
    return money.format_amount(money.to_minor_units(money.round_to_chargeable(amount, currency), currency), currency)
