"""What is read out of an event, and that nothing malformed gets further than InvalidEvent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.sample_events.cases import SAMPLES
from local.sample_events.files import envelope as sample_envelope
from tests.factories import envelope, read_as, stripe_event
from tests.sizes import size
from ticketing.errors import InvalidEvent
from ticketing.stripe.event_types import HANDLED_EVENTS
from ticketing.stripe.events import (
    ChargeEvent,
    DisputeEvent,
    RefundEvent,
    SessionEvent,
    StripeEvent,
    read_event,
)

COMPLETED = "checkout.session.completed"
# Whatever is wrong with an event, nobody's name or address may get into a message.
EMAIL, NAME = "jenny.rosen@example.com", "Jenny Rosen"


def session(**fields: Any) -> dict[str, Any]:
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "amount_total": 4000,
        "currency": "eur",
        "customer_details": {"email": EMAIL, "name": NAME},
        "customer_email": EMAIL,
        "metadata": {"order_id": "12"},
        "payment_intent": "pi_1",
        "payment_status": "paid",
        **fields,
    }


def charge(**fields: Any) -> dict[str, Any]:
    body = {"id": "ch_1", "object": "charge", "amount": 4000, "amount_refunded": 1000, "currency": "eur"}
    return {**body, "payment_intent": "pi_1", "metadata": {"order_id": "12"}, **fields}


def refund(**fields: Any) -> dict[str, Any]:
    body = {"id": "re_1", "object": "refund", "amount": 1000, "currency": "eur", "charge": "ch_1"}
    return {**body, "payment_intent": "pi_1", "status": "succeeded", "metadata": {}, **fields}


def dispute(**fields: Any) -> dict[str, Any]:
    body = {"id": "dp_1", "object": "dispute", "amount": 4000, "currency": "eur", "charge": "ch_1"}
    return {**body, "payment_intent": "pi_1", "status": "lost", "metadata": None, **fields}


def read(event_type: str, body: object, **envelope_fields: Any) -> StripeEvent:
    return read_event(envelope(event_type, body, **envelope_fields), livemode=False)


def read_session(event_type: str, body: object) -> SessionEvent:
    return read_as(SessionEvent, envelope(event_type, body))


def refusal(event: object) -> str:
    with pytest.raises(InvalidEvent) as caught:
        read_event(event, livemode=False)
    return str(caught.value)


# --- What is read -----------------------------------------------------------------------------------------------------


def test_a_paid_session() -> None:
    event = envelope(COMPLETED, session())
    assert read_event(event, livemode=False) == SessionEvent(
        outcome="paid",
        event_id=event["detail"]["id"],
        event_type=COMPLETED,
        livemode=False,
        order_reference="12",
        session_id="cs_test_1",
        payment_intent_id="pi_1",
        amount_minor=4000,
        currency="eur",
        charged_minor=4000,
        charged_currency="eur",
        charged="40.00 EUR",
        as_of=1795000000,
    )


@pytest.mark.parametrize(
    ("event_type", "payment_status", "outcome", "lost_as"),
    [
        (COMPLETED, "paid", "paid", None),
        (COMPLETED, "unpaid", "awaiting", None),
        ("checkout.session.async_payment_succeeded", "paid", "paid", None),
        ("checkout.session.async_payment_failed", "unpaid", "lost", "failed"),
        ("checkout.session.expired", "unpaid", "lost", "expired"),
        ("checkout.session.expired", None, "lost", "expired"),
    ],
)
def test_outcomes_of_a_session(event_type: str, payment_status: str | None, outcome: str, lost_as: str | None) -> None:
    payment = read_session(event_type, session(payment_status=payment_status))
    assert (payment.outcome, payment.lost_as) == (outcome, lost_as)


@pytest.mark.parametrize(
    ("event_type", "payment_status"),
    [
        (COMPLETED, None),
        (COMPLETED, "refunded"),
        ("checkout.session.async_payment_succeeded", "unpaid"),
        ("checkout.session.async_payment_failed", "paid"),
        ("checkout.session.expired", "paid"),
    ],
)
def test_a_status_that_contradicts_the_event_is_refused(event_type: str, payment_status: str | None) -> None:
    message = refusal(envelope(event_type, session(payment_status=payment_status)))
    assert message == f"A {event_type} event cannot have the payment_status {payment_status}."


def test_nothing_had_to_be_paid() -> None:
    free = session(payment_status="no_payment_required", amount_total=0, payment_intent=None)
    payment = read_session(COMPLETED, free)
    assert (payment.outcome, payment.amount_minor, payment.payment_intent_id) == ("paid", 0, None)
    assert payment.payment_key == "cs_test_1"
    assert read("checkout.session.expired", free).outcome == "lost"


def test_nothing_had_to_be_paid_and_yet_an_amount_is_refused() -> None:
    assert "nothing had to be paid" in refusal(envelope(COMPLETED, session(payment_status="no_payment_required")))


@pytest.mark.parametrize("payment_status", ["no_payment_required", "unpaid", "paid"])
def test_a_free_session_that_expires_is_lost_whatever_it_says_of_its_payment(payment_status: str) -> None:
    free = session(payment_status=payment_status, amount_total=0, payment_intent=None)
    assert read_session("checkout.session.expired", free).lost_as == "expired"


def test_a_session_that_stores_a_payment_method_is_none_of_ours() -> None:
    stored = session(mode="setup", payment_status="no_payment_required", amount_total=None, currency=None)
    assert read_event(envelope(COMPLETED, stored), livemode=False).outcome == "ignored"


@pytest.mark.parametrize("missing", ["amount_total", "currency"])
def test_a_payment_without_amount_or_currency_is_refused(missing: str) -> None:
    assert "without an amount and a currency" in refusal(envelope(COMPLETED, session(**{missing: None})))


def test_a_lost_session_may_be_without_an_amount() -> None:
    payment = read_session(
        "checkout.session.expired", session(amount_total=None, currency=None, payment_status="unpaid")
    )
    assert (payment.amount_minor, payment.currency, payment.charged) == (None, None, None)


def test_adaptive_pricing_compares_the_side_of_the_order() -> None:
    conversion = {"amount_subtotal": 4000, "amount_total": 4000, "fx_rate": "1.17", "source_currency": "EUR"}
    payment = read_session(COMPLETED, session(amount_total=4680, currency="usd", currency_conversion=conversion))
    assert (payment.amount_minor, payment.currency) == (4000, "eur")
    assert (payment.charged_minor, payment.charged_currency, payment.charged) == (4680, "usd", "46.80 USD")


def test_a_payment_intent_may_be_expanded() -> None:
    assert (
        read_session(COMPLETED, session(payment_intent={"id": "pi_2", "object": "payment_intent"})).payment_key
        == "pi_2"
    )
    assert read_session(COMPLETED, session(payment_intent={"object": "payment_intent"})).payment_intent_id is None


def test_a_refunded_charge() -> None:
    read = read_as(ChargeEvent, envelope("charge.refunded", charge()))
    assert (read.outcome, read.refunded_minor, read.amount_minor, read.currency) == ("refund", 1000, 4000, "eur")
    assert (read.charge_id, read.payment_key, read.order_reference) == ("ch_1", "pi_1", "12")
    lone = read_as(ChargeEvent, envelope("charge.refunded", charge(payment_intent=None)))
    assert lone.payment_key == "ch_1"


@pytest.mark.parametrize("event_type", ["refund.created", "refund.updated", "refund.failed"])
def test_a_refund(event_type: str) -> None:
    read = read_as(RefundEvent, envelope(event_type, refund(charge={"id": "ch_2"})))
    assert (read.outcome, read.refund_id, read.charge_id) == ("refund", "re_1", "ch_2")
    assert (read.amount_minor, read.currency, read.status) == (1000, "eur", "succeeded")
    assert read_as(RefundEvent, envelope(event_type, refund(status=None))).status == "pending"
    lone = read_as(RefundEvent, envelope(event_type, refund(payment_intent=None, charge=None)))
    assert lone.payment_key == lone.refund_id


@pytest.mark.parametrize("event_type", ["charge.dispute.created", "charge.dispute.closed"])
def test_a_dispute(event_type: str) -> None:
    read = read_as(DisputeEvent, envelope(event_type, dispute(reason="fraudulent", evidence_details={"due_by": 7})))
    assert (read.outcome, read.dispute_id, read.status) == ("dispute", "dp_1", "lost")
    assert (read.amount_minor, read.charge_id, read.order_reference) == (4000, "ch_1", None)
    assert (read.reason, read.due_by) == ("fraudulent", 7)


@pytest.mark.parametrize(
    ("metadata", "reference"),
    [
        (None, None),
        ({}, None),
        ({"order_id": ""}, None),
        ({"order_id": None}, None),
        ({"order_id": "12"}, "12"),
        ({"order_id": "shirt-12"}, "shirt-12"),
        ({"order_id": "1 OR 1=1"}, "?"),
        ({"order_id": EMAIL}, "?"),
        ({"order_id": "12\n"}, "?"),
        ({"order_id": "1" * 65}, "?"),
        ({"order_id": "\ud800"}, "?"),
    ],
)
def test_the_order_reference(metadata: object, reference: str | None) -> None:
    assert read_session(COMPLETED, session(metadata=metadata)).order_reference == reference


@pytest.mark.parametrize("event_type", ["charge.succeeded", "payout.paid", "checkout.session.completed.v2"])
def test_other_types_are_ignored(event_type: str) -> None:
    payment = read(event_type, {"anything": True})
    assert (payment.outcome, payment.event_type) == ("ignored", event_type)


def test_other_types_are_ignored_in_either_mode() -> None:
    event = envelope("payout.paid", {}, detail=stripe_event("payout.paid", {}, livemode=True))
    assert read_event(event, livemode=False).outcome == "ignored"


def test_a_type_that_is_no_word_is_not_repeated() -> None:
    assert read(EMAIL, {}).event_type == "?"


def test_only_what_is_known_is_written() -> None:
    written = msgspec.to_builtins(read("payout.paid", {}))
    assert written.keys() == {"object", "outcome", "event_id", "event_type", "livemode", "because"}


@pytest.mark.parametrize("event_type", sorted(HANDLED_EVENTS))
@pytest.mark.parametrize("ours", [True, False])
def test_an_event_of_the_other_mode_is_refused(event_type: str, ours: bool) -> None:
    event = envelope(event_type, session(), detail=stripe_event(event_type, session(), livemode=not ours))
    with pytest.raises(InvalidEvent, match=f"this environment handles {'live' if ours else 'test'} payments"):
        read_event(event, livemode=ours)


@pytest.mark.parametrize("source", ["stripe.com", "aws.partner/stripe.com/ed_test_x", "aws.partner/stripe.com/ed_1"])
def test_both_entry_points_are_open(source: str) -> None:
    assert read(COMPLETED, session(), source=source).outcome == "paid"


# --- What is refused --------------------------------------------------------------------------------------------------


def _envelope_without(field: str) -> dict[str, Any]:
    event = envelope(COMPLETED, session())
    del event[field]
    return event


def _detail(**fields: Any) -> dict[str, Any]:
    return envelope(COMPLETED, session(), detail=stripe_event(COMPLETED, session(), **fields))


def _nested(levels: int) -> dict[str, Any]:
    outer: dict[str, Any] = {}
    inner = outer
    for _ in range(levels):
        inner["deeper"] = {}
        inner = inner["deeper"]
    return outer


MALFORMED: list[tuple[str, object, str]] = [
    ("nothing", None, "The envelope is malformed"),
    ("text", "checkout.session.completed", "The envelope is malformed"),
    ("a list", [envelope(COMPLETED, session())], "The envelope is malformed"),
    ("no fields", {}, "missing required field `source`"),
    ("no source", _envelope_without("source"), "missing required field `source`"),
    ("no detail-type", _envelope_without("detail-type"), "missing required field `detail-type`"),
    ("no detail", _envelope_without("detail"), "missing required field `detail`"),
    ("detail as JSON text", envelope(COMPLETED, session(), detail=json.dumps(session())), "`$.detail`"),
    ("empty detail", envelope(COMPLETED, session(), detail={}), "`$.detail`"),
    ("another source", envelope(COMPLETED, session(), source="aws.s3"), "not aws.s3"),
    ("almost the source", envelope(COMPLETED, session(), source="stripe.com "), "not ?"),
    ("another partner", envelope(COMPLETED, session(), source="aws.partner/stripe.com.evil/x"), "must be stripe.com"),
    (
        "another type",
        envelope("checkout.session.expired", session(), detail=stripe_event(COMPLETED, session())),
        "is not",
    ),
    ("no Event", _detail(object="checkout.session"), "must be a Stripe Event object, not checkout.session"),
    ("event id as number", _detail(id=7), "`$.detail.id`"),
    ("event id of two lines", _detail(id="evt_1\n"), "The event's id is not a Stripe id"),
    ("empty event id", _detail(id=""), "The event's id is not a Stripe id"),
    ("event id too long", _detail(id="e" * 256), "The event's id is not a Stripe id"),
    ("livemode as text", _detail(livemode="false"), "`$.detail.livemode`"),
    ("livemode as number", _detail(livemode=0), "`$.detail.livemode`"),
    ("data is a list", _detail(data=[session()]), "`$.detail.data`"),
    ("no object", _detail(data={}), "detail.data.object is malformed"),
    ("object is null", _detail(data={"object": None}), "detail.data.object is malformed"),
    ("object is text", envelope(COMPLETED, "cs_test_1"), "detail.data.object is malformed"),
    ("a refund instead", envelope(COMPLETED, refund()), "must be a checkout.session, not refund"),
    ("a session instead", envelope("refund.created", session(amount=1)), "must be a refund, not checkout.session"),
    ("a charge instead", envelope("charge.dispute.closed", charge(status="x")), "must be a dispute, not charge"),
    ("a dispute instead", envelope("charge.refunded", dispute(amount_refunded=1)), "must be a charge, not dispute"),
    ("session id with a newline", envelope(COMPLETED, session(id="cs_1\n")), "id is not a Stripe id"),
    ("session id of a path", envelope(COMPLETED, session(id="../cs_1")), "id is not a Stripe id"),
    ("session id in Greek", envelope(COMPLETED, session(id="csς")), "id is not a Stripe id"),
    ("session id null", envelope(COMPLETED, session(id=None)), "`$.id`"),
    ("payment_intent empty", envelope(COMPLETED, session(payment_intent="")), "payment_intent is not a Stripe id"),
    ("payment_intent number", envelope(COMPLETED, session(payment_intent=5)), "`$.payment_intent`"),
    ("expanded, wrong id", envelope(COMPLETED, session(payment_intent={"id": 5})), "payment_intent is not a Stripe id"),
    ("amount as text", envelope(COMPLETED, session(amount_total="4000")), "`$.amount_total`"),
    ("amount as float", envelope(COMPLETED, session(amount_total=4000.0)), "`$.amount_total`"),
    ("amount as NaN", envelope(COMPLETED, session(amount_total=float("nan"))), "`$.amount_total`"),
    ("amount infinite", envelope(COMPLETED, session(amount_total=float("inf"))), "`$.amount_total`"),
    ("amount as boolean", envelope(COMPLETED, session(amount_total=True)), "`$.amount_total`"),
    ("amount negative", envelope(COMPLETED, session(amount_total=-1)), "amount_total is out of bounds"),
    ("amount huge", envelope(COMPLETED, session(amount_total=10**30)), "amount_total is out of bounds"),
    ("currency too long", envelope(COMPLETED, session(currency="euro")), "currency is not a currency code"),
    ("currency of two lines", envelope(COMPLETED, session(currency="eur\n")), "currency is not a currency code"),
    # U+212A, whose small letter is an ASCII k.
    (
        "currency with a Kelvin sign",
        envelope(COMPLETED, session(currency="\u212arw")),
        "currency is not a currency code",
    ),
    ("currency of surrogates", envelope(COMPLETED, session(currency="\ud800\udfff\ud800")), "currency is not a"),
    (
        "conversion negative",
        envelope(COMPLETED, session(currency_conversion={"amount_total": -1, "source_currency": "eur"})),
        "out of bounds",
    ),
    ("conversion empty", envelope(COMPLETED, session(currency_conversion={})), "`$.currency_conversion`"),
    ("metadata as text", envelope(COMPLETED, session(metadata=EMAIL)), "`$.metadata`"),
    (
        "order_id as number",
        envelope(COMPLETED, session(metadata={"order_id": 12})),
        "metadata.order_id is not a string",
    ),
    ("order_id nested deeply", envelope(COMPLETED, session(metadata={"order_id": _nested(50_000)})), "not a string"),
    ("refund negative", envelope("refund.created", refund(amount=-1)), "amount is out of bounds"),
    ("charge: more back than paid", envelope("charge.refunded", charge(amount_refunded=4001)), "more was refunded"),
    ("charge: negative", envelope("charge.refunded", charge(amount_refunded=-1)), "amount_refunded is out of bounds"),
    ("dispute without status", envelope("charge.dispute.closed", dispute(status=None)), "`$.status`"),
    ("dispute of a strange charge", envelope("charge.dispute.closed", dispute(charge="ch 1")), "charge is not a"),
]


@pytest.mark.parametrize(("event", "part"), [pytest.param(event, part, id=name) for name, event, part in MALFORMED])
def test_malformed_events_are_refused_in_a_sentence(event: object, part: str) -> None:
    message = refusal(event)
    assert part in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 300


def test_a_deep_event_is_read_all_the_same() -> None:
    assert read(COMPLETED, session(custom_fields=_nested(50_000), metadata={"deep": _nested(50_000)})).outcome == "paid"


ECHOED: list[Callable[[str], object]] = [
    lambda text: envelope(COMPLETED, session(), source=text),
    lambda text: envelope(COMPLETED, session(), **{"detail-type": text}),
    lambda text: envelope(COMPLETED, session(), detail=stripe_event(text, session())),
    lambda text: _detail(object=text),
    lambda text: _detail(id=text),
    lambda text: envelope(COMPLETED, session(object=text)),
    lambda text: envelope(COMPLETED, session(id=text)),
    lambda text: envelope(COMPLETED, session(payment_status=text)),
    lambda text: envelope(COMPLETED, session(payment_intent=text)),
    lambda text: envelope(COMPLETED, session(currency=text)),
    lambda text: envelope(COMPLETED, session(amount_total=text)),
    lambda text: envelope(COMPLETED, session(metadata=text)),
    lambda text: envelope(COMPLETED, session(metadata={"order_id": [text]})),
]


@pytest.mark.parametrize("text", [EMAIL, NAME, f"{NAME} <{EMAIL}>", f"x\n{EMAIL}"])
@pytest.mark.parametrize("make", ECHOED)
def test_no_message_repeats_a_person(make: Callable[[str], object], text: str) -> None:
    message = refusal(make(text))
    assert "@" not in message
    assert "enny" not in message


@pytest.mark.parametrize("body", [refund(status=EMAIL), refund(status=NAME)])
def test_a_refunds_status_that_is_none_is_refused_unrepeated(body: object) -> None:
    # Recorded under a status that nobody knows, it would count as money that went back.
    assert refusal(envelope("refund.updated", body)) == "The refund's status is not a status of Stripe's."


# --- Whatever comes ---------------------------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["paid", "unpaid", "stripe.com", "event", COMPLETED, "checkout.session", "eur", "cs_1", ""])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += paths_of(inner, (*path, number))
    return found


ENVELOPES = [
    (json.dumps(event), paths_of(event)) for event in (sample_envelope(sample, "partner") for sample in SAMPLES)
]


@st.composite
def mutated_samples(draw: st.DrawFn) -> object:
    """A sample event in which some fields are gone or something else."""
    text, paths = draw(st.sampled_from(ENVELOPES))
    event: Any = json.loads(text)
    for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3)):
        holder = event
        try:
            for step in path[:-1]:
                holder = holder[step]
            if draw(st.booleans()):
                holder[path[-1]] = draw(ANYTHING)
            else:
                del holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took it away
    return event


def read_or_refusal(event: object) -> StripeEvent | str:
    try:
        return read_event(event, livemode=False)
    except InvalidEvent as error:
        return str(error)


def check_whatever_comes(event: object) -> None:
    answer = read_or_refusal(event)
    assert "@" not in repr(answer)
    if isinstance(answer, str):
        assert answer.isprintable()
        return
    if isinstance(answer, SessionEvent) and answer.outcome == "paid":
        assert answer.amount_minor is not None
        assert answer.currency is not None
    # What the next step gets is JSON, and reads back as what it was.
    assert msgspec.json.decode(msgspec.json.encode(answer), type=StripeEvent) == answer


@settings(max_examples=size(30, 150), deadline=None)
@given(event=ANYTHING)
def test_any_json_is_read_or_refused(event: object) -> None:
    check_whatever_comes(event)


@settings(max_examples=size(50, 250), deadline=None)
@given(event=mutated_samples())
def test_any_mutated_sample_is_read_or_refused(event: object) -> None:
    check_whatever_comes(event)


@settings(max_examples=size(24, 120), deadline=None)
@given(body=st.dictionaries(st.sampled_from(sorted(session() | charge() | dispute())), ANYTHING), data=st.data())
def test_any_object_in_a_good_envelope_is_read_or_refused(body: dict[str, Any], data: st.DataObject) -> None:
    event_type = data.draw(st.sampled_from(sorted(HANDLED_EVENTS)))
    kind = data.draw(st.sampled_from(["checkout.session", "charge", "refund", "dispute"]))
    check_whatever_comes(envelope(event_type, {"object": kind, "id": "x_1", **body}))
