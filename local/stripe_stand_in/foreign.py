"""Other applications of the same account: they take money in their own ways, with metadata of their own."""

from dataclasses import dataclass, field

from local.stripe_stand_in import balance, events, payment_object
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.instruments import CARDS
from local.stripe_stand_in.session_object import customer_details
from local.stripe_stand_in.store import Record

_CARD = "4242424242424242"


@dataclass
class PaymentSeed:
    """A payment by card without a Checkout Session.

    Attributes:
        amount: In minor units.
        metadata: The PaymentIntent's; its Charge gets the same.
    """

    amount: int
    currency: str = "eur"
    metadata: dict[str, str] = field(default_factory=dict)
    description: str | None = None


def take_payment(context: Context, seed: PaymentSeed) -> str:
    """Take the money and tell, as for any payment; returns the `pi_…`."""
    asked = {
        "amount_total": seed.amount,
        "currency": seed.currency,
        "payment_method_types": ["card"],
    }
    created = context.now()
    data = {"metadata": seed.metadata, "description": seed.description}
    intent = payment_object.payment_intent(asked, data, created)
    charge = payment_object.charge(
        intent,
        created=created,
        status="succeeded",
        details=payment_object.card_details(_CARD, CARDS[_CARD], seed.amount),
        payer=customer_details("somebody@example.com", "Somebody Else", "US"),
    )
    intent |= {
        "status": "succeeded",
        "amount_received": seed.amount,
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
    }
    request = RequestInfo()
    with context.store.transaction():
        context.store.insert(
            balance.of_charge(charge, created),
            Record("charge", charge, status="succeeded", payment_intent=intent["id"]),
            Record("payment_intent", intent, status="succeeded", payment_intent=intent["id"]),
        )
        events.emit(context, "charge.succeeded", charge, request)
        events.emit(context, "payment_intent.succeeded", intent, request)
    return str(intent["id"])
