"""Many sessions at once, as if Stripe had had them for long: no events, no parameter checks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from local.stripe_stand_in import balance, payment_object, session_object, sessions
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.instruments import Card
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Kind, Record


@dataclass
class SessionSeed:
    """A session to put there.

    Attributes:
        amount_total: In minor units.
        metadata: The session's; the payment gets the same.
        created: Unix time; None: now. `expires_at` follows 30 minutes later when it is None.
        payment_status: None: what the status says: `paid` for a complete session (`no_payment_required`
            over 0), else `unpaid`. A complete `unpaid` one is a delayed payment under way, which stays
            so until `settle` is called.
        session_id: None: a new one.
        mode: What another application of the account sells by it; the shop's are `payment`.
    """

    amount_total: int
    currency: str = "eur"
    metadata: dict[str, str] = field(default_factory=dict)
    status: Literal["open", "complete", "expired"] = "complete"
    payment_status: Literal["paid", "unpaid", "no_payment_required"] | None = None
    created: int | None = None
    expires_at: int | None = None
    session_id: str | None = None
    customer_email: str | None = None
    client_reference_id: str | None = None
    mode: Literal["payment", "subscription", "setup"] = "payment"
    description: str = "Ticket"
    quantity: int = 1
    success_url: str = "https://shop.example.com/?session_id={CHECKOUT_SESSION_ID}"
    cancel_url: str = "https://shop.example.com/"


def seed(context: Context, seeds: Iterable[SessionSeed]) -> list[str]:
    """Store sessions and their payments in one transaction; returns the sessions' ids in order."""
    identities: list[str] = []

    def records() -> Iterator[Record]:
        for wanted in seeds:
            made = _records(context, wanted)
            identities.append(made[-1].id)
            yield from made

    # Record by record: ten thousand sessions as dictionaries would keep the garbage collector busy.
    context.store.insert_many(records())
    return identities


def record_of(body: JsonObject) -> Record:
    """Return an object as it is stored, with nothing that Stripe would know besides.

    Raises:
        ValueError: It is of a kind that the stand-in does not know.
    """
    kind: Any = body.get("object")
    if kind not in get_args(Kind):
        raise ValueError(f"the stand-in keeps no {kind}")
    if kind == "balance_transaction":
        return balance.record(body)
    payment = body["id"] if kind == "payment_intent" else body.get("payment_intent")
    return Record(
        kind,
        body,
        private={"line_items": [], "payment_intent_data": {}},
        status=body.get("status"),
        payment_intent=payment if isinstance(payment, str) else None,
    )


def _records(context: Context, wanted: SessionSeed) -> list[Record]:
    created = context.now() if wanted.created is None else wanted.created
    item = {
        "price_data": {
            "currency": wanted.currency,
            "unit_amount": wanted.amount_total // wanted.quantity,
            "product_data": {"name": wanted.description},
        },
        "quantity": wanted.quantity,
    }
    parameters: JsonObject = {
        "metadata": wanted.metadata,
        "customer_email": wanted.customer_email,
        "client_reference_id": wanted.client_reference_id,
        "success_url": wanted.success_url,
        "cancel_url": wanted.cancel_url,
    }
    session = session_object.checkout_session(
        parameters,
        created=created,
        expires_at=wanted.expires_at or created + sessions.SHORTEST_SECONDS,
        currency=wanted.currency,
        total=wanted.amount_total,
        session_id=wanted.session_id,
    )
    session |= {"status": wanted.status, "mode": wanted.mode}
    complete = wanted.status == "complete"
    if wanted.payment_status is not None:
        session["payment_status"] = wanted.payment_status
    elif complete and wanted.amount_total:
        session["payment_status"] = "paid"
    record = Record(
        "checkout.session",
        session,
        private={
            "line_items": [session_object.line_item(item, created)],
            "payment_intent_data": {"metadata": wanted.metadata},
        },
        status=wanted.status,
        due=session["expires_at"] if wanted.status == "open" else None,
    )
    if not complete:
        return [record]
    email = wanted.customer_email or "buyer@example.com"
    session["customer_details"] = session_object.customer_details(email, "Test Buyer", "AT")
    if session["payment_status"] == "no_payment_required":
        return [record]
    return [*_payment(record, created), record]


def _payment(record: Record, created: int) -> list[Record]:
    session, paid = record.body, record.body["payment_status"] == "paid"
    intent = payment_object.payment_intent(session, record.private["payment_intent_data"], created)
    charge = payment_object.charge(
        intent,
        created=created,
        status="succeeded" if paid else "pending",
        details=payment_object.card_details("4242424242424242", Card("visa"), session["amount_total"])
        if paid
        else payment_object.sepa_details("AT611904300234573201"),
        payer=session["customer_details"],
    )
    status = "succeeded" if paid else "processing"
    intent |= {
        "status": status,
        "amount_received": intent["amount"] if paid else 0,
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
    }
    session["payment_intent"] = record.payment_intent = intent["id"]
    moved = [balance.of_charge(charge, created)] if paid else []
    return [
        *moved,
        Record("charge", charge, status=charge["status"], payment_intent=intent["id"]),
        Record(
            "payment_intent",
            intent,
            private={"session": record.id, "succeeds": True},
            status=status,
            payment_intent=intent["id"],
        ),
    ]
