from __future__ import annotations

import contextlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.api import callers, create_checkout
from local.stripe_stand_in import StripeStandIn
from tests.conftest import Connect
from tests.factories import create_code, create_event, create_ticket, row_of
from tests.handlers.api.conftest import CHECKOUT, Api
from ticketing.buyers.tokens import PublicKeys, TokenVerifier
from ticketing.database import Database
from ticketing.stripe import client as stripe_client
from ticketing.stripe import open_session
from ticketing.stripe.open_session import SessionRequest


@pytest.fixture
def event_id(database: Database) -> int:
    return create_event(database, name="Salsa Night")


@pytest.fixture
def ticket_id(database: Database, event_id: int) -> int:
    return create_ticket(database, event_id=event_id, name="Standard", price=Decimal("20.00"), max_quantity=10)


def orders(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as tx:
        return tx.all("SELECT * FROM ticket_orders ORDER BY id")


def held(database: Database, ticket_id: int) -> int:
    return int(row_of(database, "tickets", ticket_id)["held_quantity"])


def add_discount(database: Database, ticket_id: int, days: int | None, value: str, **columns: object) -> None:
    row = {
        "ticket_id": ticket_id,
        "discount_type": "percentage",
        "discount_value": Decimal(value),
        # By the day that it is in the last time zone.
        "valid_until": None
        if days is None
        else (datetime.now(UTC) - timedelta(hours=12)).date() + timedelta(days=days),
        "is_active": 1,
        **columns,
    }
    with database.transaction() as tx:
        tx.change(
            f"INSERT INTO ticket_discounts ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", *row.values()
        )


def test_stripe_sends_the_buyer_its_receipt(api: Api, stripe: StripeStandIn, event_id: int, ticket_id: int) -> None:
    reply = api.checkout(event_id, ticket_id, email="guest@example.com")
    stripe.pay(reply.body["session_id"])
    client = stripe_client.client("sk_test_of_the_tests", api_base=stripe.url)
    payment = client.v1.payment_intents.retrieve(str(stripe.session(reply.body["session_id"])["payment_intent"]))
    assert payment.receipt_email == "guest@example.com"


def test_an_order_and_its_session(
    api: Api, database: Database, stripe: StripeStandIn, event_id: int, ticket_id: int
) -> None:
    before = int(time.time())
    reply = api.checkout(event_id, ticket_id, quantity=2, headers={"origin": "https://www.cachao.example"})
    assert reply.status == 200
    [order] = orders(database)
    assert reply.body == {
        "success": True,
        "checkout_url": reply.body["checkout_url"],
        "session_id": order["stripe_checkout_session_id"],
        "order_id": str(order["id"]),
    }
    assert reply.body["checkout_url"].startswith("http")
    expected = {
        "event_id": event_id,
        "ticket_id": ticket_id,
        "cognito_sub": None,
        "user_id": None,
        "email": "jo@example.com",
        "quantity": 2,
        "unit_price": Decimal("20.00"),
        "discount_amount": Decimal("0.00"),
        "discount_code_id": None,
        "total_amount": Decimal("40.00"),
        "currency": "eur",
        "status": "pending",
        "held_quantity": 2,
        "code_held": 0,
    }
    assert {name: order[name] for name in expected} == expected
    assert held(database, ticket_id) == 2
    session = stripe.session(reply.body["session_id"])
    ids = {"order_id": str(order["id"]), "event_id": str(event_id), "ticket_id": str(ticket_id)}
    ids["order_mark"] = order["order_mark"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", order["order_mark"])
    assert (order["asked_minor"], order["asked_currency"]) == (session["amount_total"], session["currency"])
    assert session["mode"] == "payment"
    assert session["metadata"] == ids
    assert session["client_reference_id"] == str(order["id"])
    assert session["customer_email"] == "jo@example.com"
    assert (session["amount_total"], session["currency"]) == (4000, "eur")
    page = f"https://www.cachao.example/events/{event_id}"
    assert session["success_url"] == f"{page}?payment=success&session_id={{CHECKOUT_SESSION_ID}}"
    assert session["cancel_url"].startswith("https://api.cachao.example/checkout/cancel?token=")
    # the hold lasts as long as the session, and the session a little longer than Stripe's minimum
    assert order["hold_expires_at"].replace(tzinfo=UTC).timestamp() == session["expires_at"]
    assert before + 1800 < session["expires_at"] <= int(time.time()) + 1860


def test_the_line_item_and_the_payment_say_what_was_bought(
    api: Api, stripe: StripeStandIn, event_id: int, ticket_id: int
) -> None:
    reply = api.checkout(event_id, ticket_id, quantity=3)
    client = stripe_client.client("sk_test_of_the_tests", api_base=stripe.url)
    session = client.v1.checkout.sessions.retrieve(reply.body["session_id"], {"expand": ["line_items"]})
    assert session.line_items is not None
    [item] = session.line_items.data
    assert (item.description, item.quantity, item.amount_total) == ("Standard - Salsa Night", 3, 6000)
    stripe.pay(reply.body["session_id"])
    intent = client.v1.payment_intents.retrieve(stripe.session(reply.body["session_id"])["payment_intent"])
    assert intent.metadata.to_dict() == stripe.session(reply.body["session_id"])["metadata"]


def test_each_order_has_a_mark_of_its_own(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    orders = [int(api.checkout(event_id, ticket_id).body["order_id"]) for _ in range(3)]
    assert len({row_of(database, "ticket_orders", order)["order_mark"] for order in orders}) == 3


def test_a_logged_in_buyer(
    api: Api, database: Database, event_id: int, ticket_id: int, token: Callable[..., dict[str, str]]
) -> None:
    assert api.checkout(event_id, ticket_id, headers=token("buyer-7")).status == 200
    assert orders(database)[0]["cognito_sub"] == "buyer-7"


@pytest.mark.parametrize(
    "authorization", ["Bearer nonsense", "Bearer ", "Bearer null", "bearer a.b.c", "Basic am86c2VjcmV0", "x"]
)
def test_a_bad_token_is_never_a_guest(
    api: Api, database: Database, event_id: int, ticket_id: int, authorization: str
) -> None:
    reply = api.checkout(event_id, ticket_id, headers={"authorization": authorization})
    assert (reply.status, reply.code) == (401, "invalid_token")
    assert orders(database) == []


def test_an_unsigned_token_is_never_a_guest(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    unsigned = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJzdWIiOiJidXllci03In0."
    assert api.checkout(event_id, ticket_id, headers={"authorization": f"Bearer {unsigned}"}).status == 401
    assert orders(database) == []


def test_keys_that_cannot_be_fetched_are_neither_a_bad_token_nor_a_guest(
    api: Api,
    database: Database,
    event_id: int,
    ticket_id: int,
    token: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = TokenVerifier(issuer="x", client_ids=frozenset(), keys=PublicKeys("http://127.0.0.1:1/"))
    monkeypatch.setattr(callers, "_verifier", lambda: lost)
    reply = api.checkout(event_id, ticket_id, headers=token())
    assert (reply.status, reply.code) == (503, "try_again")
    assert orders(database) == []


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://evil.example",
        "https://cachao.example.evil.example",
        "https://cachao.example/",
        "HTTPS://cachao.example",
        "null",
        "*",
        "https://cachao.example\r\nSet-Cookie: a=b",
        "https://cachao.example, https://www.cachao.example",
    ],
)
def test_the_buyer_returns_to_an_origin_on_the_list_only(
    api: Api, stripe: StripeStandIn, event_id: int, ticket_id: int, origin: str | None
) -> None:
    reply = api.checkout(event_id, ticket_id, headers={} if origin is None else {"origin": origin})
    session = stripe.session(reply.body["session_id"])
    assert session["success_url"].startswith(f"https://cachao.example/events/{event_id}?")
    assert "evil" not in json.dumps(session)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON ;charset=UTF-8", 200),
        # What a page of anywhere can send without a preflight.
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("", 415),
    ],
)
def test_a_foreign_page_cannot_make_its_visitors_hold_seats(
    api: Api, database: Database, event_id: int, ticket_id: int, kind: str, status: int
) -> None:
    reply = api.checkout(event_id, ticket_id, headers={"content-type": kind})
    assert reply.status == status
    assert status == 200 or reply.code == "unsupported_media_type"
    assert len(orders(database)) == (status == 200)


@pytest.mark.parametrize("key", ["", " ", "\t", "a b", "cl\u00e9", "x" * 256])
def test_an_idempotency_key_that_is_none(api: Api, database: Database, event_id: int, ticket_id: int, key: str) -> None:
    reply = api.checkout(event_id, ticket_id, headers={"idempotency-key": key})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert orders(database) == []


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "not JSON"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "object"),
        ('"x"', "object"),
        ("null", "object"),
        ('{"email": "a@b.example", "quantity": NaN}', "not JSON"),
        ("[" * 5000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ('{"email": "' + "x" * 17000 + '"}', "too large"),
        (b'{"email": "' + b"x" * 17000 + b'"}', "too large"),
        ("{}", "e-mail"),
        ('{"email": "a@b.example", "quantity": 11}', "At most 10 tickets per order."),
        ('{"email": "a@b.example", "quantity": true}', "1 to 10"),
        ('{"email": "a@b.example", "quantity": 1.0}', "1 to 10"),
        ('{"email": "a@b.example", "quantity": "1"}', "1 to 10"),
    ],
)
def test_a_malformed_request(
    api: Api, database: Database, event_id: int, ticket_id: int, raw: str | bytes | None, sentence: str
) -> None:
    reply = api.call(CHECKOUT, {"id": str(event_id), "ticketId": str(ticket_id)}, raw=raw)
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert sentence in reply.body["error"]
    assert orders(database) == []


def test_a_body_in_base64_is_read(api: Api, event_id: int, ticket_id: int) -> None:
    path = {"id": str(event_id), "ticketId": str(ticket_id)}
    assert api.call(CHECKOUT, path, raw=b'{"email": "a@b.example"}').status == 200


@pytest.mark.parametrize(
    "strange",
    ["0", "-1", "01", "1.0", "1e3", " 1", "1 OR 1=1", "1;DROP TABLE events", "١", "9" * 30, "", "%31", "x"],  # noqa: RUF001
)
def test_what_cannot_be_an_id(api: Api, event_id: int, ticket_id: int, strange: str) -> None:
    assert api.checkout(event_id, strange).status == 404
    assert api.checkout(strange, ticket_id).status == 404
    assert api.call("GET /events/{id}/tickets", {"id": strange}).status == 404


def test_a_ticket_of_another_event(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    other = create_event(database)
    assert api.checkout(other, ticket_id).code == "not_found"
    assert api.checkout(event_id, ticket_id + 1000).code == "not_found"
    assert orders(database) == []


@pytest.mark.parametrize(
    ("starts", "ends", "status"),
    [
        (None, None, 200),
        (timedelta(days=3), timedelta(hours=-11), 200),  # it may be in Honolulu
        (timedelta(days=-3), timedelta(hours=-12, seconds=-2), 409),
        (timedelta(days=-30), timedelta(days=-3), 409),
        (timedelta(days=-30), timedelta(days=3), 200),
        (timedelta(days=-7), None, 409),  # began last week, without an end
        (timedelta(hours=-35), None, 200),
        (timedelta(hours=-36, seconds=-2), None, 409),
    ],
    ids=str,
)
def test_an_event_that_is_over(
    api: Api, database: Database, starts: timedelta | None, ends: timedelta | None, status: int
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    event_id = create_event(
        database,
        start_date=None if starts is None else now + starts,
        end_date=None if ends is None else now + ends,
    )
    reply = api.checkout(event_id, create_ticket(database, event_id=event_id))
    assert reply.status == status
    assert status == 200 or reply.code == "not_on_sale"


@pytest.mark.parametrize(
    ("starts", "methods"),
    [
        (timedelta(hours=5), ["card"]),  # tonight
        (timedelta(days=6, hours=23), ["card"]),
        (timedelta(days=7, hours=1), ["card", "sepa_debit"]),
        (None, ["card", "sepa_debit"]),
    ],
    ids=str,
)
def test_a_payment_that_takes_days_is_not_offered_shortly_before_the_event(
    api: Api, database: Database, stripe: StripeStandIn, starts: timedelta | None, methods: list[str]
) -> None:
    start = None if starts is None else datetime.now(UTC).replace(tzinfo=None) + starts
    event_id = create_event(database, start_date=start)
    reply = api.checkout(event_id, create_ticket(database, event_id=event_id))
    assert stripe.session(reply.body["session_id"])["payment_method_types"] == methods


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("info@m\u00fcller.example", "info@xn--mller-kva.example"),
        ("info@M\u00dcLLER.example", "info@xn--mller-kva.example"),
        ("info@mu\u0308ller.example", "info@xn--mller-kva.example"),
        ("info@stra\u00dfe.example", "info@xn--strae-oqa.example"),  # not strasse: that is another domain
        ("info@xn--mller-kva.example", "info@xn--mller-kva.example"),
        ("Jo@Example.com", "Jo@Example.com"),
    ],
)
def test_stripe_gets_an_addresss_domain_in_ascii(
    api: Api, database: Database, stripe: StripeStandIn, event_id: int, ticket_id: int, typed: str, kept: str
) -> None:
    reply = api.checkout(event_id, ticket_id, email=typed)
    assert reply.status == 200
    assert stripe.session(reply.body["session_id"])["customer_email"] == kept
    assert orders(database)[0]["email"] == kept


def test_a_ticket_that_is_not_active(api: Api, database: Database, event_id: int) -> None:
    assert api.checkout(event_id, create_ticket(database, event_id=event_id, is_active=0)).code == "not_on_sale"


def test_seats_run_out(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    assert api.checkout(event_id, ticket_id, quantity=8).status == 200
    few = api.checkout(event_id, ticket_id, quantity=3)
    assert (few.status, few.code, few.body["available"], few.body["error"]) == (
        409,
        "not_enough_left",
        2,
        "Only 2 left.",
    )
    assert api.checkout(event_id, ticket_id, quantity=2).status == 200
    none = api.checkout(event_id, ticket_id)
    # Nobody has paid yet: "sold out" would be a lie.
    assert (none.status, none.code, none.body["available"]) == (409, "held", 0)
    assert none.headers["retry-after"] == str(none.body["retry_after_seconds"]) == "60"
    assert held(database, ticket_id) == 10
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET held_quantity = 1, sold_quantity = 9 WHERE id = %s", ticket_id)
    assert api.checkout(event_id, ticket_id).code == "held"
    with database.transaction() as tx:
        tx.change("UPDATE tickets SET held_quantity = 0, sold_quantity = 10 WHERE id = %s", ticket_id)
    sold = api.checkout(event_id, ticket_id)
    assert (sold.status, sold.code, sold.body["available"]) == (409, "sold_out", 0)
    assert len(orders(database)) == 2


def test_a_ticket_without_a_limit(api: Api, database: Database, event_id: int) -> None:
    ticket_id = create_ticket(database, event_id=event_id, max_quantity=None)
    assert api.checkout(event_id, ticket_id, quantity=10).status == 200
    assert held(database, ticket_id) == 10


def test_a_ticket_that_the_live_shop_oversold(api: Api, database: Database, event_id: int) -> None:
    ticket_id = create_ticket(database, event_id=event_id, max_quantity=10, sold_quantity=12)
    reply = api.checkout(event_id, ticket_id)
    assert (reply.code, reply.body["available"]) == ("sold_out", 0)


def test_a_total_below_what_stripe_charges(api: Api, database: Database, event_id: int) -> None:
    ticket_id = create_ticket(database, event_id=event_id, price=Decimal("0.20"))
    reply = api.checkout(event_id, ticket_id, quantity=2)
    assert (reply.status, reply.code) == (422, "amount_too_small")
    assert "0.50 EUR" in reply.body["error"]
    assert held(database, ticket_id) == 0
    assert api.checkout(event_id, ticket_id, quantity=3).status == 200


def test_a_free_ticket_is_ordered_the_same_way(
    api: Api, database: Database, stripe: StripeStandIn, event_id: int
) -> None:
    ticket_id = create_ticket(database, event_id=event_id, price=Decimal(0))
    reply = api.checkout(event_id, ticket_id, quantity=2)
    assert reply.status == 200
    assert stripe.session(reply.body["session_id"])["amount_total"] == 0
    assert held(database, ticket_id) == 2


# --- discounts --------------------------------------------------------------------------------------------------------


def test_the_date_discount_that_ends_first_applies(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    add_discount(database, ticket_id, 7, "30")
    add_discount(database, ticket_id, 0, "25")  # until today, which is included
    add_discount(database, ticket_id, -1, "90")
    add_discount(database, ticket_id, None, "80")
    add_discount(database, ticket_id, 0, "70", is_active=0)
    api.checkout(event_id, ticket_id, quantity=2)
    [order] = orders(database)
    assert (order["unit_price"], order["discount_amount"], order["total_amount"]) == (15, 10, 30)


@pytest.mark.parametrize("valid_until", [None, "0000-00-00"])
def test_a_date_discount_without_an_end_applies_when_no_other_does(
    api: Api, database: Database, event_id: int, ticket_id: int, valid_until: str | None
) -> None:
    with database.transaction() as tx:
        tx.change("SET SESSION sql_mode = ''")  # a zero date is as old as such a table
    add_discount(database, ticket_id, -1, "90")
    add_discount(database, ticket_id, 0, "70", is_active=0)
    add_discount(database, ticket_id, 0, "25", valid_until=valid_until)
    assert api.checkout(event_id, ticket_id).status == 200
    add_discount(database, ticket_id, 30, "50")  # one with an end comes first
    assert api.checkout(event_id, ticket_id).status == 200
    assert [order["total_amount"] for order in orders(database)] == [15, 10]


def test_a_code_replaces_the_date_discount(
    api: Api, database: Database, stripe: StripeStandIn, event_id: int, ticket_id: int
) -> None:
    add_discount(database, ticket_id, 7, "50")
    code_id = create_code(database, event_id=event_id, code="SALSA10")
    reply = api.checkout(event_id, ticket_id, quantity=2, discount_code="  salSa10 ")
    [order] = orders(database)
    assert (order["unit_price"], order["total_amount"], order["discount_code_id"]) == (18, 36, code_id)
    assert (order["code_held"], row_of(database, "discount_codes", code_id)["held_count"]) == (1, 1)
    assert stripe.session(reply.body["session_id"])["amount_total"] == 3600


@pytest.mark.parametrize("blank", ["", "   ", "\u200b\t\u00a0", None])
def test_no_code_is_no_code(api: Api, database: Database, event_id: int, ticket_id: int, blank: str | None) -> None:
    assert api.checkout(event_id, ticket_id, discount_code=blank).status == 200
    assert orders(database)[0]["total_amount"] == 20


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ({"code": "OTHER"}, "code_unknown"),
        ({"is_active": 0}, "code_inactive"),
        ({"valid_from": "2090-01-01 00:00:00"}, "code_not_yet_valid"),
        ({"valid_until": "2020-01-01 00:00:00"}, "code_expired"),
        ({"max_uses": 3, "used_count": 2, "held_count": 1}, "code_used_up"),
        ({"max_uses": 0}, "code_used_up"),
    ],
)
def test_a_code_that_cannot_be_used_says_why(
    api: Api, database: Database, event_id: int, ticket_id: int, columns: dict[str, object], refusal: str
) -> None:
    create_code(database, **{"event_id": event_id, "code": "SALSA10", **columns})
    reply = api.checkout(event_id, ticket_id, discount_code="salsa10")
    assert (reply.status, reply.code) == (409, refusal)
    assert orders(database) == []
    assert held(database, ticket_id) == 0


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("SUMMER\t", "summer"),
        ("\u00a0 SUMMER", "SUMMER"),
        ("SUMMER", " SUMMER"),
        ("SUMMER", "\tsummer\u00a0\r\n"),
        ("SUMMER", "\u200bSUMMER\ufeff"),
        ("SUM\u200b", "sum"),
        ("summer", "SUMMER"),
        ("CAF\u00c9", "cafe\u0301"),
        ("CAFE\u0301", "caf\u00e9"),
        ("caf\u00e9 ", "CAF\u00c9"),
        ("STRASSE", "stra\u00dfe"),
        ("\u03a3\u0391\u039b\u03a3\u0391", "\u03c3\u03b1\u03bb\u03c3\u03b1"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("collation", ["utf8mb4_unicode_ci", "utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_nopad_bin"])
def test_a_code_matches_in_whatever_form_it_is_written(
    api: Api,
    database: Database,
    connect: Connect,
    event_id: int,
    ticket_id: int,
    stored: str,
    typed: str,
    collation: str,
) -> None:
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE discount_codes MODIFY code VARCHAR(64) COLLATE {collation} NOT NULL")
    try:
        for number in range(3):
            create_code(database, event_id=event_id, code=f"OTHER{number}\t")
        code_id = create_code(database, event_id=event_id, code=stored)
        assert api.checkout(event_id, ticket_id, discount_code=typed).status == 200
        assert orders(database)[0]["discount_code_id"] == code_id
        assert api.checkout(event_id, ticket_id, discount_code=typed + "X").code == "code_unknown"
    finally:
        with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE discount_codes MODIFY code VARCHAR(64) COLLATE utf8mb4_unicode_ci NOT NULL")


def test_the_same_code_in_two_forms_is_refused_only_if_neither_can_be_used(
    api: Api, database: Database, event_id: int, ticket_id: int
) -> None:
    create_code(database, event_id=event_id, code="SUMMER", is_active=0)
    usable = create_code(database, event_id=event_id, code="summer\t")
    assert api.checkout(event_id, ticket_id, discount_code="summer").status == 200
    assert orders(database)[0]["discount_code_id"] == usable
    with database.transaction() as tx:
        tx.change("UPDATE discount_codes SET max_uses = 1 WHERE id = %s", usable)
    assert api.checkout(event_id, ticket_id, discount_code="summer").code == "code_used_up"  # the newest says why


@pytest.mark.parametrize(
    "code", ["SALSÁ10", "SALSA10' OR '1'='1", "%", "SALSA_0", "x" * 100, "salsa10\u00a0x", "ß\x00"]
)
def test_a_code_matches_exactly_but_for_case(
    api: Api, database: Database, event_id: int, ticket_id: int, code: str
) -> None:
    create_code(database, event_id=event_id, code="SALSA10")
    assert api.checkout(event_id, ticket_id, discount_code=code).code == "code_unknown"


@pytest.fixture(params=["utf8mb3", "latin1"])
def narrow_codes(connect: Connect, request: pytest.FixtureRequest) -> Iterator[None]:
    """The live column may be narrower than what a buyer can type."""

    def alter(charset: str) -> None:
        with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE discount_codes MODIFY code VARCHAR(64) CHARACTER SET {charset} NOT NULL")

    alter(request.param)
    yield
    alter("utf8mb4")


@pytest.mark.usefixtures("narrow_codes")
def test_a_code_that_the_live_table_cannot_even_have(
    api: Api, database: Database, event_id: int, ticket_id: int
) -> None:
    create_code(database, event_id=event_id, code="SALSÁ10")
    assert api.checkout(event_id, ticket_id, discount_code="\N{PARTY POPPER}").code == "code_unknown"
    assert api.checkout(event_id, ticket_id, discount_code="salsá10").status == 200


def test_a_code_of_another_event(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    create_code(database, event_id=create_event(database), code="SALSA10")
    assert api.checkout(event_id, ticket_id, discount_code="SALSA10").code == "code_unknown"


def test_a_code_that_exists_twice(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    good = create_code(database, event_id=event_id, code="SALSA10")
    create_code(database, event_id=event_id, code="SALSA10", is_active=0)
    assert api.checkout(event_id, ticket_id, discount_code="SALSA10").status == 200
    assert orders(database)[0]["discount_code_id"] == good


def test_a_code_without_a_limit(api: Api, database: Database, event_id: int, ticket_id: int) -> None:
    create_code(database, event_id=event_id, code="SALSA10", max_uses=None)
    assert api.checkout(event_id, ticket_id, discount_code="SALSA10").status == 200


# --- when Stripe or the database fails --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        *((passing, 502, "payment_provider_error") for passing in (500, 503, 429, 409, "reset")),
        # Stripe's last word: "try again" would be a lie.
        *((final, 500, "internal_error") for final in (400, 402, 401, 403)),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k1"}], ids=["no key", "key"])
def test_stripe_fails_and_a_second_try_works(
    api: Api,
    database: Database,
    stripe: StripeStandIn,
    event_id: int,
    ticket_id: int,
    fault: Any,
    status: int,
    code: str,
    headers: dict[str, str],
) -> None:
    create_code(database, event_id=event_id, code="SALSA10", max_uses=1)
    stripe.fail_next(2, status=fault)  # the package tries twice
    failed = api.checkout(event_id, ticket_id, quantity=10, discount_code="salsa10", headers=headers)
    assert (failed.status, failed.code) == (status, code)
    assert ("try again" in failed.body["error"]) is (status == 502)
    [order] = orders(database)
    assert (order["status"], order["held_quantity"], order["code_held"]) == ("failed", 0, 0)
    assert held(database, ticket_id) == 0
    stripe.clear_faults()
    again = api.checkout(event_id, ticket_id, quantity=10, discount_code="salsa10", headers=headers)
    assert again.status == 200
    assert again.body["order_id"] != str(order["id"])
    assert held(database, ticket_id) == 10


def test_stripe_takes_too_long(
    api: Api,
    database: Database,
    stripe: StripeStandIn,
    event_id: int,
    ticket_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    impatient = stripe_client.client("sk_test_impatient", api_base=stripe.url, read_seconds=0.2, network_retries=0)
    monkeypatch.setattr(stripe_client, "client", lambda *_, **__: impatient)
    stripe.fail_next(1, status="timeout", when="after", seconds=1)
    reply = api.checkout(event_id, ticket_id)
    assert (reply.status, reply.code) == (502, "payment_provider_error")
    assert orders(database)[0]["status"] == "failed"
    assert held(database, ticket_id) == 0


def test_an_answer_that_was_lost_is_asked_for_again_not_made_again(
    api: Api, database: Database, stripe: StripeStandIn, event_id: int, ticket_id: int
) -> None:
    stripe.fail_next(1, status="reset", when="after")
    reply = api.checkout(event_id, ticket_id)
    assert reply.status == 200
    assert stripe.session(reply.body["session_id"])["metadata"]["order_id"] == reply.body["order_id"]
    client = stripe_client.client("sk_test_of_the_tests", api_base=stripe.url)
    # Stripe lists the newest first; order ids begin anew with each test run only.
    made = client.v1.checkout.sessions.list({"limit": 10}).data
    assert [s.id for s in made if s.client_reference_id == reply.body["order_id"]] == [reply.body["session_id"]]


def test_the_database_is_away(
    api: Api, event_id: int, ticket_id: int, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise ConnectionRefusedError

    database.close()
    monkeypatch.setattr(database, "_connect", refuse)
    for reply in (api.checkout(event_id, ticket_id), api.call("GET /orders", query={"session_id": "cs_test_1"})):
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "try_again", "2")
        assert "Connection" not in json.dumps(reply.body)


def test_a_fault_of_ours_tells_nothing(
    api: Api,
    event_id: int,
    ticket_id: int,
    monkeypatch: pytest.MonkeyPatch,
    logged: io.StringIO,
) -> None:
    def explode(*_: object, **__: object) -> Any:
        raise KeyError("jo@example.com and a secret")

    monkeypatch.setattr(create_checkout, "check_out", explode)
    reply = api.checkout(event_id, ticket_id)
    assert (reply.status, reply.code) == (500, "internal_error")
    for text in (json.dumps(reply.body), logged.getvalue()):
        assert "secret" not in text
        assert "jo@example.com" not in text
    assert "KeyError" in logged.getvalue()


def test_a_missing_setting_is_our_fault(
    api: Api, event_id: int, ticket_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CURRENCY")
    assert api.checkout(event_id, ticket_id).status == 500
    monkeypatch.setenv("CURRENCY", "eur")
    monkeypatch.setenv("MAX_TICKETS_PER_ORDER", "ten")
    assert api.checkout(event_id, ticket_id).status == 500


def test_the_log_says_which_order_and_not_who(
    api: Api,
    event_id: int,
    ticket_id: int,
    token: Callable[..., dict[str, str]],
    logged: io.StringIO,
) -> None:
    headers = token("buyer-7") | {"origin": "https://evil.example\nFORGED", "idempotency-key": "secret-key"}
    reply = api.checkout(event_id, ticket_id, discount_code="nope\nFORGED", headers=headers)
    assert reply.code == "code_unknown"
    reply = api.checkout(event_id, ticket_id, headers=headers)
    for secret in ("jo@example.com", headers["authorization"][7:], "secret-key", "buyer-7", "FORGED", "evil"):
        assert secret not in logged.getvalue()
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    said = [line for line in lines if line.get("order_id") == reply.body["order_id"]]
    assert {"route", "api_request_id", "function_request_id", "session_id"} <= set(said[0])


def test_no_tax_is_added_to_the_price_whatever_the_accounts_default_is() -> None:
    request = SessionRequest(
        reference="1",
        metadata={"order_id": "1"},
        product_name="Standard - Salsa Night",
        quantity=1,
        unit_minor=2000,
        currency="eur",
        email="ada@example.com",
        expires_at=0,
        is_urgent=False,
        success_url="https://cachao.example/events/2?payment=success",
        cancel_url="https://cachao.example/events/2?payment=cancelled",
    )
    # Left out, the account decides; given, this does.
    assert open_session._parameters(request)["automatic_tax"] == {"enabled": False}
