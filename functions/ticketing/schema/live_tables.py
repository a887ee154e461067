"""What the shop needs of the tables that were there before it (docs/deploy.md, Migrate and verify).

Of the live tables only the columns' names are known. What they are is looked at before the first migration.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a column holds, and with which types of MariaDB the shop can work; the text is for operators."""

    NUMBER = "a whole number (INT or BIGINT)"
    MONEY = "exact money (DECIMAL(10,2))"
    MOMENT = "a date or time (DATETIME, TIMESTAMP or DATE)"
    TIME = "a time (DATETIME or TIMESTAMP)"
    TEXT = "text (VARCHAR)"
    ANY = "anything"
    WORD = "one of a few words (VARCHAR(20), or an ENUM that has them all)"


@dataclass(frozen=True)
class Needed:
    """What a column must be able to hold.

    Attributes:
        at_least: characters of a TEXT or WORD; digits before the point of MONEY that is written; digits of a NUMBER.
        words: what a WORD can be.
    """

    kind: Kind
    at_least: int = 0
    words: tuple[str, ...] = ()


STATUSES: Final = ("pending", "processing", "paid", "refunded", "expired", "failed", "cancelled")

_NUMBER: Final = Needed(Kind.NUMBER)
# A counter that TINYINT would end at 127.
_COUNTER: Final = Needed(Kind.NUMBER, at_least=4)
_PRICE: Final = Needed(Kind.MONEY)
# At most 999,999.99 can be paid at once (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
_AMOUNT: Final = Needed(Kind.MONEY, at_least=6)
_TEXT: Final = Needed(Kind.TEXT)
_MOMENT: Final = Needed(Kind.MOMENT)
_TIME: Final = Needed(Kind.TIME)
_DISCOUNT_TYPE: Final = Needed(Kind.WORD, words=("percentage", "fixed"))

LIVE_TABLES: Final[dict[str, dict[str, Needed]]] = {
    "events": {"id": _NUMBER, "name": _TEXT, "start_date": _MOMENT, "end_date": _MOMENT},
    "tickets": {
        "id": _NUMBER,
        "event_id": _NUMBER,
        "name": _TEXT,
        "price": _PRICE,
        "image_url": _TEXT,
        "max_quantity": _NUMBER,
        "sold_quantity": _COUNTER,
        "is_active": _NUMBER,
        "created_at": _TIME,
    },
    "ticket_discounts": {
        "id": _NUMBER,
        "ticket_id": _NUMBER,
        "discount_type": _DISCOUNT_TYPE,
        "discount_value": _PRICE,
        "valid_until": _MOMENT,
        "is_active": _NUMBER,
    },
    "discount_codes": {
        "id": _NUMBER,
        "event_id": _NUMBER,
        "code": _TEXT,
        "discount_type": _DISCOUNT_TYPE,
        "discount_value": _PRICE,
        "max_uses": _NUMBER,
        "used_count": _COUNTER,
        "valid_from": _MOMENT,
        "valid_until": _MOMENT,
        "is_active": _NUMBER,
    },
    "ticket_orders": {
        "id": _NUMBER,
        "event_id": _NUMBER,
        "ticket_id": _NUMBER,
        "user_id": Needed(Kind.ANY),
        "cognito_sub": Needed(Kind.TEXT, at_least=36),
        # What the checkout accepts (RFC 5321, 4.5.3.1.3).
        "email": Needed(Kind.TEXT, at_least=254),
        "quantity": _NUMBER,
        "unit_price": _AMOUNT,
        "discount_amount": _AMOUNT,
        "discount_code_id": _NUMBER,
        "total_amount": _AMOUNT,
        "status": Needed(Kind.WORD, at_least=10, words=STATUSES),
        # Stripe's are 66 and 27 characters long today, and never longer than 255.
        "stripe_checkout_session_id": Needed(Kind.TEXT, at_least=80),
        "stripe_payment_intent_id": Needed(Kind.TEXT, at_least=40),
        "validated_at": _TIME,
        "created_at": _TIME,
        "updated_at": _TIME,
    },
}

# What an order is placed with. The live table's other columns must do without; of its defaults nothing is known, so the
# times are among these.
PLACED_COLUMNS: Final = (
    "event_id",
    "ticket_id",
    "cognito_sub",
    "email",
    "quantity",
    "unit_price",
    "discount_amount",
    "discount_code_id",
    "total_amount",
    "currency",
    "status",
    "held_quantity",
    "held_ticket_id",
    "code_held",
    "held_code_id",
    "hold_expires_at",
    "order_mark",
    "asked_minor",
    "asked_currency",
    "bought_ticket",
    "bought_event",
    "created_at",
    "updated_at",
)
