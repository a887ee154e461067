"""The hosted page by plain HTTP, and the command that pays without it."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from local.stripe_stand_in import StripeStandIn
from local.stripe_stand_in.client import ControlClient, ControlError, pay_command
from tests.local.stripe_stand_in.support import Bus, Clock

Make = Callable[..., Any]
GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 9995"


class _Page(HTMLParser):
    """What a page has in it: labels, fields, and where it would load something from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.fields: dict[str, dict[str, str | None]] = {}
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "label":
            self.labels.add(attributes.get("for") or "")
        if tag in {"input", "select"}:
            self.fields[attributes.get("id") or ""] = attributes
        if tag in {"script", "img", "link", "iframe"}:
            self.loads.append(tag)


def _post(url: str, **form: str) -> requests.Response:
    filled = {"action": "pay", "method": "card", "expiry": "12 / 34", "cvc": "123", "name": "Ana", "country": "AT"}
    return requests.post(url, data=filled | form, allow_redirects=False, timeout=5)


def test_the_page_says_what_is_bought_and_loads_nothing(new_session: Make) -> None:
    answer = requests.get(new_session().url, timeout=5)
    page = _Page(answer.text)

    assert answer.status_code == 200
    assert "€30.00" in answer.text
    assert "Test mode" in answer.text
    assert "Balcony &lt;b&gt;left&lt;/b&gt; - Salsa &amp; Son" in answer.text
    assert page.fields["email"]["value"] == "ana@example.com"
    assert set(page.fields) == page.labels
    assert page.loads == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_paying_leads_back_to_the_shop(stand_in: StripeStandIn, bus: Bus, new_session: Make) -> None:
    session = new_session()
    answer = _post(session.url, card_number="4242 4242 4242 4242", expiry="12 / 34", cvc="123", name="Ana")

    assert answer.status_code == 303
    expected = f"https://shop.example.com/events/3?payment=success&session_id={session.id}"
    assert answer.headers["Location"] == expected
    assert stand_in.wait_until_delivered()
    [paid] = bus.objects("checkout.session.completed")
    assert paid["customer_details"]["name"] == "Ana"
    done = requests.get(session.url, timeout=5)
    assert "all done here" in done.text
    again = _post(session.url, card_number="4242 4242 4242 4242")
    assert (again.status_code, "all done here" in again.text) == (200, True)


def test_a_declined_card_is_told_and_can_be_tried_again(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session()
    answer = _post(session.url, card_number=DECLINED, name='"><script>')

    assert answer.status_code == 402
    assert "Your card has insufficient funds." in answer.text
    assert "role='alert'" in answer.text
    assert "value='4000" not in answer.text
    assert "<script>" not in answer.text
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert _post(session.url, card_number="4242424242424242").status_code == 303


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"card_number": ""}, "Enter your card number."),
        ({"card_number": GOOD, "expiry": "13 / 34"}, "Enter when your card expires"),
        ({"card_number": GOOD, "expiry": "12 / 20"}, "Your card has expired."),
        ({"card_number": GOOD, "cvc": "12"}, "security code, three or four digits"),
        ({"card_number": GOOD, "name": ""}, "Enter your name."),
        ({"card_number": GOOD, "country": "XX"}, "Choose your country."),
        ({"card_number": GOOD, "country": "US"}, "Enter your postal code."),
        ({"method": "sepa_debit", "iban": "AT611904300234573201", "name": ""}, "Enter your name."),
        ({"method": "sepa_debit", "iban": ""}, "Enter your IBAN."),
        ({"method": "sepa_debit", "iban": "DE00"}, "The IBAN you provided is invalid"),
    ],
)
def test_a_mistake_is_told(new_session: Make, form: dict[str, str], message: str) -> None:
    answer = _post(new_session().url, **form)
    assert (answer.status_code, message in answer.text) == (402, True)


def test_the_buyers_country_and_postal_code_are_told_to_the_shop(
    stand_in: StripeStandIn, bus: Bus, new_session: Make
) -> None:
    assert _post(new_session().url, card_number=GOOD, country="US", postal_code="10001").status_code == 303
    assert stand_in.wait_until_delivered()
    [paid] = bus.objects("checkout.session.completed")
    address = paid["customer_details"]["address"]
    assert (address["country"], address["postal_code"]) == ("US", "10001")


def test_the_email_is_asked_for_where_the_shop_gave_none(
    stand_in: StripeStandIn,
    bus: Bus,
    new_session: Make,
) -> None:
    session = new_session(customer_email=None)
    assert "Enter your email address" in _post(session.url, card_number="4242424242424242").text
    assert _post(session.url, card_number="4242424242424242", email="bo@example.com").status_code == 303
    assert stand_in.wait_until_delivered()
    [paid] = bus.objects("checkout.session.completed")
    assert (paid["customer_email"], paid["customer_details"]["email"]) == (None, "bo@example.com")


def test_a_bank_debit_is_a_choice_of_the_page(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session()
    answer = _post(session.url, method="sepa_debit", iban="AT61 1904 3002 3457 3201")
    assert answer.status_code == 303
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert "bank debit is on its way" in requests.get(session.url, timeout=5).text


def test_a_free_order_asks_for_no_card(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session(unit_amount=0)
    page = requests.get(session.url, timeout=5).text
    assert "Complete order" in page
    assert "Your free order" in page
    assert "Pay " not in page
    assert set(_Page(page).fields) == {"email"}
    assert _post(session.url).status_code == 303
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "no_payment_required"


def test_cancelling_leads_back_and_leaves_the_session_open(client: stripe.StripeClient, new_session: Make) -> None:
    session = new_session()
    answer = _post(session.url, action="cancel")
    assert answer.headers["Location"] == "https://shop.example.com/events/3?payment=cancelled"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    nowhere = _post(new_session(cancel_url=None).url, action="cancel")
    assert (nowhere.status_code, "Nothing was charged" in nowhere.text) == (200, True)


def test_an_expired_session_says_so(clock: Clock, new_session: Make) -> None:
    session = new_session()
    clock.advance(1801)
    for answer in (requests.get(session.url, timeout=5), _post(session.url, card_number="4242424242424242")):
        assert (answer.status_code, "has expired" in answer.text) == (410, True)


def test_an_unknown_session_says_so(stand_in: StripeStandIn) -> None:
    answer = requests.get(f"{stand_in.url}/c/pay/cs_test_<script>", timeout=5)
    assert (answer.status_code, "<script>" in answer.text) == (404, False)


def test_control_endpoints_do_what_the_object_does(stand_in: StripeStandIn, bus: Bus, new_session: Make) -> None:
    control = ControlClient(stand_in.url)
    session = new_session()
    assert control.pay(session.id, None, iban="AT611904300234573201").outcome == "processing"
    assert control.settle(session.id).payment_status == "paid"
    intent = stand_in.session(session.id)["payment_intent"]
    assert control.call("open_dispute", payment_intent=intent)["status"] == "needs_response"
    assert control.call("close_dispute", dispute=intent, status="won")["status"] == "won"
    assert control.call("fail_next", n=1, status="reset") is None
    assert control.call("clear_faults") is None
    assert control.call("rate_limit", per_second=None) is None
    assert len(control.call("seed", sessions=[{"amount_total": 100}, {"amount_total": 0}])) == 2
    assert control.call("destination", status="disabled", enabled_events=["*"])["status"] == "disabled"
    assert control.call("wait_until_delivered", timeout=5)
    assert [delivery["state"] for delivery in control.call("deliveries")] == ["delivered"] * 6
    assert control.call("redeliver", event_id=bus.envelopes[0]["detail"]["id"]) == 1
    for operation, arguments in (("nonsense", {}), ("pay", {"who": "me"}), ("destination", {"nonsense": 1})):
        with pytest.raises(ControlError):
            control.call(operation, **arguments)


def test_control_takes_no_form_of_a_web_page(stand_in: StripeStandIn, new_session: Make) -> None:
    session = new_session()
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = requests.post(
            f"{stand_in.url}/_control/pay",
            data=json.dumps({"session_id": session.id}),
            headers={"Content-Type": content_type},
            timeout=5,
        )
        assert answer.status_code == 400
    assert stand_in.session(session.id)["status"] == "open"


def test_the_pay_command_reports_by_exit_code(
    stand_in: StripeStandIn,
    tmp_path: Path,
    clock: Clock,
    new_session: Make,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = tmp_path / "stack.json"
    stack.write_text(json.dumps({"stripe_url": stand_in.url}))
    here = ["--stack", str(stack)]
    session = new_session()

    assert pay_command([session.id, "--card", DECLINED, *here]) == 1
    assert "Declined: Your card has insufficient funds." in capsys.readouterr().err
    assert pay_command([session.url, *here]) == 0
    assert "Paid: The payment succeeded." in capsys.readouterr().out
    assert pay_command([session.id, *here]) == 2
    assert "completed already" in capsys.readouterr().err
    assert pay_command([new_session().id, "--iban", "AT611904300234573201", *here]) == 0
    late = new_session()
    clock.advance(1801)
    assert pay_command([late.id, *here]) == 2
    assert "expired" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cs_test_nobody", "--stripe-url", "{url}"], "No such checkout.session"),
        (["order 17", "--stripe-url", "{url}"], "no session id"),
        (["cs_test_a", "--stack", "/nonexistent/stack.json"], "make run"),
        (["cs_test_a", "--stripe-url", "https://api.stripe.com"], "no local stand-in"),
        (["cs_test_a", "--stripe-url", "http://127.0.0.1:9"], "No stand-in answers"),
    ],
)
def test_the_pay_command_says_what_is_wrong(
    stand_in: StripeStandIn,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert pay_command([argument.replace("{url}", stand_in.url) for argument in arguments]) == 2
    assert message in capsys.readouterr().err
