"""The stand-in is held against what Stripe publishes, by the types of the installed `stripe` package.

Every object that it gives has exactly the fields that the package knows, those that are always there, none unknown,
and only values that are known; every request takes only what the package can send. What is otherwise is in
DEVIATIONS, with its reason. As the stand-in refuses all that it does not take, no test of the shop can pass with a
parameter that Stripe does not know.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from local.stripe_stand_in import EventDestination, PaymentSeed, SessionSeed, StripeStandIn, WebhookEndpoint
from local.stripe_stand_in.ids import thin_event_id
from local.stripe_stand_in.parameters import ArrayOf, CreatedRange, HashOf, OneOf, integer, metadata, string
from local.stripe_stand_in.routes import ROUTES, Route
from tests.local.stripe_stand_in.support import KEY, Clock, client_of
from tests.stripe_types.check import Types
from tests.stripe_types.dump import OBJECTS, Json, dump
from ticketing.stripe.event_types import HANDLED_EVENTS

PROJECT: Final = Path(__file__).resolve().parents[3]

# The package's call, its route here, and the class of its parameters.
CALLS: Final = {
    "v1.accounts.retrieve_current": ("GET /v1/account", "params.AccountRetrieveCurrentParams"),
    "v1.balance_transactions.list": ("GET /v1/balance_transactions", "params.BalanceTransactionListParams"),
    "v1.balance_transactions.retrieve": (
        "GET /v1/balance_transactions/<id>",
        "params.BalanceTransactionRetrieveParams",
    ),
    "v1.charges.retrieve": ("GET /v1/charges/<id>", "params.ChargeRetrieveParams"),
    "v1.checkout.sessions.create": ("POST /v1/checkout/sessions", "params.checkout.SessionCreateParams"),
    "v1.checkout.sessions.expire": ("POST /v1/checkout/sessions/<id>/expire", "params.checkout.SessionExpireParams"),
    "v1.checkout.sessions.line_items.list": (
        "GET /v1/checkout/sessions/<id>/line_items",
        "params.checkout.SessionLineItemListParams",
    ),
    "v1.checkout.sessions.list": ("GET /v1/checkout/sessions", "params.checkout.SessionListParams"),
    "v1.checkout.sessions.retrieve": ("GET /v1/checkout/sessions/<id>", "params.checkout.SessionRetrieveParams"),
    "v1.disputes.close": ("POST /v1/disputes/<id>/close", "params.DisputeCloseParams"),
    "v1.disputes.list": ("GET /v1/disputes", "params.DisputeListParams"),
    "v1.disputes.retrieve": ("GET /v1/disputes/<id>", "params.DisputeRetrieveParams"),
    "v1.disputes.update": ("POST /v1/disputes/<id>", "params.DisputeUpdateParams"),
    "v1.events.list": ("GET /v1/events", "params.EventListParams"),
    "v1.events.retrieve": ("GET /v1/events/<id>", "params.EventRetrieveParams"),
    "v1.files.create": ("POST /v1/files", "params.FileCreateParams"),
    "v1.files.retrieve": ("GET /v1/files/<id>", "params.FileRetrieveParams"),
    "v1.payment_intents.retrieve": ("GET /v1/payment_intents/<id>", "params.PaymentIntentRetrieveParams"),
    "v1.payouts.list": ("GET /v1/payouts", "params.PayoutListParams"),
    "v1.payouts.retrieve": ("GET /v1/payouts/<id>", "params.PayoutRetrieveParams"),
    "v1.refunds.create": ("POST /v1/refunds", "params.RefundCreateParams"),
    "v1.refunds.list": ("GET /v1/refunds", "params.RefundListParams"),
    "v1.refunds.retrieve": ("GET /v1/refunds/<id>", "params.RefundRetrieveParams"),
    "v1.webhook_endpoints.create": ("POST /v1/webhook_endpoints", "params.WebhookEndpointCreateParams"),
    "v1.webhook_endpoints.delete": ("DELETE /v1/webhook_endpoints/<id>", "params.WebhookEndpointDeleteParams"),
    "v1.webhook_endpoints.retrieve": ("GET /v1/webhook_endpoints/<id>", "params.WebhookEndpointRetrieveParams"),
    "v1.webhook_endpoints.update": ("POST /v1/webhook_endpoints/<id>", "params.WebhookEndpointUpdateParams"),
    "v1.webhook_endpoints.list": ("GET /v1/webhook_endpoints", "params.WebhookEndpointListParams"),
    "v2.core.event_destinations.create": (
        "POST /v2/core/event_destinations",
        "params.v2.core.EventDestinationCreateParams",
    ),
    "v2.core.event_destinations.delete": (
        "DELETE /v2/core/event_destinations/<id>",
        "params.v2.core.EventDestinationDeleteParams",
    ),
    "v2.core.event_destinations.disable": (
        "POST /v2/core/event_destinations/<id>/disable",
        "params.v2.core.EventDestinationDisableParams",
    ),
    "v2.core.event_destinations.enable": (
        "POST /v2/core/event_destinations/<id>/enable",
        "params.v2.core.EventDestinationEnableParams",
    ),
    "v2.core.event_destinations.ping": (
        "POST /v2/core/event_destinations/<id>/ping",
        "params.v2.core.EventDestinationPingParams",
    ),
    "v2.core.event_destinations.update": (
        "POST /v2/core/event_destinations/<id>",
        "params.v2.core.EventDestinationUpdateParams",
    ),
    "v2.core.event_destinations.list": (
        "GET /v2/core/event_destinations",
        "params.v2.core.EventDestinationListParams",
    ),
    "v2.core.event_destinations.retrieve": (
        "GET /v2/core/event_destinations/<id>",
        "params.v2.core.EventDestinationRetrieveParams",
    ),
    "v2.core.events.retrieve": ("GET /v2/core/events/<id>", "params.v2.core.EventRetrieveParams"),
}
CLASSES: Final = {
    "account": "Account",
    "balance_transaction": "BalanceTransaction",
    "charge": "Charge",
    "checkout.session": "Session",
    "dispute": "Dispute",
    "event": "Event",
    "file": "File",
    "item": "LineItem",
    "payment_intent": "PaymentIntent",
    "payout": "Payout",
    "refund": "Refund",
    "v2.core.event_destination": "v2.core.EventDestination",
    "webhook_endpoint": "WebhookEndpoint",
}
DUMPED: Final = dump(OBJECTS, (name for _, name in CALLS.values()))


# What a request takes otherwise than the package can send, each with its reason.
REQUEST_DEVIATIONS: Final = {
    f"POST /v1/webhook_endpoints{path}.enabled_events: any text is taken": "all types that Stripe has; ours are held"
    " against the package's list below"
    for path in ("", "/<id>")
}


def by_name(route: Route) -> str:
    return f"{route.method} {route.path}"


def unlike(check: Any, described: Json, path: str) -> Iterator[str]:
    """Say where a check of the stand-in takes something else than the package can send."""
    choices = described["of"] if described["kind"] == "union" else [described]
    if isinstance(check, HashOf | CreatedRange):
        fields: Json = next((choice["fields"] for choice in choices if choice["kind"] == "object"), {})
        yield from _unlike_hash(check, fields, path)
    elif isinstance(check, ArrayOf):
        [of] = [choice["of"] for choice in choices if choice["kind"] == "list"]
        yield from unlike(check.item, of, path)
    else:
        values = {value for choice in choices if choice["kind"] == "enum" for value in choice["values"]} - {""}
        if isinstance(check, OneOf):
            for choice in set(check.choices) ^ values:
                yield f"{path}: {choice} is {'none of its values' if choice in check.choices else 'not taken'}"
        elif values:
            yield f"{path}: any text is taken"


def _unlike_hash(check: HashOf | CreatedRange, fields: Json, path: str) -> Iterator[str]:
    known = set(check.known_to_stripe()) if isinstance(check, HashOf) else set()
    for name in (check.fields.keys() | known) - fields.keys():
        yield f"{path}.{name}: unknown"
    for name in fields.keys() - check.fields.keys() - known:
        yield f"{path}.{name}: neither taken nor known to be Stripe's"
    required = set(check.required) if isinstance(check, HashOf) else set()
    for name in {name for name, field in fields.items() if not field["optional"]} - required:
        yield f"{path}.{name}: required"
    for name in check.fields.keys() & fields.keys():
        yield from unlike(check.fields[name], fields[name]["type"], f"{path}.{name}")


def test_every_request_takes_what_the_package_can_send() -> None:
    classes = dict(CALLS.values())
    assert classes.keys() == {by_name(route) for route in ROUTES}
    found = [
        deviation
        for route in ROUTES
        for deviation in unlike(route.parameters, DUMPED[classes[by_name(route)]], by_name(route))
    ]
    assert sorted(found) == sorted(REQUEST_DEVIATIONS)


def test_the_package_knows_every_type_that_the_shop_asks_for() -> None:
    of = DUMPED["params.WebhookEndpointCreateParams"]["fields"]["enabled_events"]["type"]["of"]
    assert set(of["values"]) > HANDLED_EVENTS


def test_a_request_that_the_package_cannot_send_is_seen() -> None:
    described = DUMPED["params.RefundCreateParams"]
    wrong = HashOf({"ammount": integer(), "reason": OneOf("duplicate", "whim"), "metadata": metadata()})
    found = set(unlike(wrong, described, "x"))
    assert {"x.ammount: unknown", "x.reason: whim is none of its values", "x.reason: fraudulent is not taken"} < found
    assert "x.reason: any text is taken" in set(unlike(HashOf({"reason": string()}), described, "x"))


@pytest.mark.parametrize("room", ["functions", "operations"])
def test_every_call_of_ours_has_its_route(room: str) -> None:
    """Whatever the shop and the operators' commands ask Stripe, they ask the stand-in, too."""
    text = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / room).rglob("*.py"))
    asked = set(re.findall(r"\.(v[12](?:\.[a-z_]+)+)\(", text))
    assert asked
    assert asked <= CALLS.keys()
    plainly = re.findall(r'\.raw_request\("(\w+)", "([^"]+)"', text)
    assert {f"{method.upper()} {path}" for method, path in plainly} <= {route for route, _ in CALLS.values()}


# What is otherwise than in the package, as regular expressions, each with its reason. Where a field is left out, none
# of Stripe's own examples has it either (github.com/stripe/openapi, fixtures3.json), unless said otherwise.
_METHOD: Final = "|".join(DUMPED["PaymentMethod"]["fields"]["type"]["type"]["values"])
DEVIATIONS: Final = {
    # One field for each payment method: those of the others are not there.
    rf"PaymentMethod\.({_METHOD}): left out": "named by `type`",
    r"(Charge|Dispute)\.payment_method_details\.\w+: left out": "named by `type`",
    r"Refund\.destination_details\.\w+: left out": "named by `type`; a bank debit's has no field",
    r"(PaymentIntent|Session)\.payment_method_options\.\w+: left out": "only of the methods with options",
    r"(PaymentIntent|Session)\.payment_method_options\.card\.\w+: left out": "only options that were asked for",
    # Only where something has happened, or was asked for.
    r"Event\.(account|context): left out": "only of a connected account's events",
    r"Event\.data\.previous_attributes: left out": "only of `….updated`",
    r"Refund\.(failure_reason|failure_balance_transaction): left out": "only of a failed refund",
    r"Refund\.pending_reason: left out": "only of a pending refund",
    r"Refund\.(description|instructions_email|next_action): left out": "only of refunds that need the buyer",
    r"Refund\.destination_details\.card\.reference: left out": "known when the bank has given one",
    r"Session\.(line_items|total_details\.breakdown): left out": "only when expanded",
    r"Charge\.refunds: left out": "only when expanded, since 2022-11-15",
    r"LineItem\.(discounts|taxes): left out": "only when expanded",
    r"Price\.(currency_options|tiers): left out": "only when expanded",
    r"PaymentIntent\.amount_details\.\w+(\.amount)?: left out": "only where a terminal or level 3 data give it",
    r"PaymentIntent\.last_payment_error\.\w+: left out": "only what the error is about",
    r"Charge\.fraud_details\.\w+: left out": "only of a charge that was reported",
    r"Charge\.outcome\.rule: left out": "only where one of Radar's rules decided",
    r"Dispute\.evidence\.enhanced_evidence\.\w+: left out": "only of disputes that are eligible",
    r"Dispute\.evidence_details\.enhanced_eligibility\.\w+: left out": "only of disputes that are eligible",
    r"WebhookEndpoint\.secret: left out": "only in the answer that makes it",
    r"v2\.core\.EventDestination\.(azure_event_grid|webhook_endpoint): left out": "named by `type`",
    # What the shop never uses.
    r"(Account|Price|WebhookEndpoint)\.deleted: left out": "only of a deleted one",
    r"Account\.(company|individual|groups): left out": "Connect",
    r"Account\.(business_profile|controller)\.\w+: left out": "Connect",
    r"Account\.capabilities\.\w+: left out": "only what was asked for",
    r"Account\.settings\.(paypay_payments|treasury): left out": "only where they are in use",
    r"Account\.settings\.(card_issuing|payouts|sepa_debit_payments)\.[\w.]+: left out": "only where they are in use",
    r"Account\.tos_acceptance\.service_agreement: left out": "Connect",
    r"Charge\.(authorization_code|level3|transfer): left out": "terminals, level 3 data, Connect",
    r"Charge\.payment_method_details\.card\.\w+: left out": "what gated features tell of the card",
    r"Charge\.payment_method_details\.sepa_debit\.expected_debit_date: left out": "only where Stripe plans the day",
    r"(Charge|PaymentMethod)\.radar_options\.session: left out": "only with Radar's script",
    r"Dispute\.(evidence\.appeal|intended_submission_method|network_reason_code): left out": "gated features",
    r"PaymentIntent\.(hooks|payment_details|payment_record): left out": "gated features",
    r"PaymentMethod\.card\.(description|iin|issuer): left out": "gated features",
    r"Session\.(branding_settings|name_collection|optional_items|tax_id_collection): left out": "never asked for",
    r"Session\.(redirect_on_completion|return_url): left out": "only of an embedded page",
}


@pytest.fixture(scope="module")
def objects() -> list[Json]:
    """One of all that the stand-in gives: whatever can happen to a session, as the API and the events show it."""
    clock, destination = Clock(), EventDestination(enabled_events=("*",))
    with StripeStandIn(lambda _envelope: None, clock=clock, settle_delay=600.0, destination=destination) as stand_in:
        sessions = _play(stand_in)
        clock.advance(601)
        stand_in.run_due()
        given = [*_of_sessions(stand_in, sessions), *_listed(stand_in)]
        stand_in.destination.status, stand_in.destination.disabled_reason = "disabled", "user"
        given += _get(stand_in, "/v2/core/event_destinations")["data"]
    return given


def _play(stand_in: StripeStandIn) -> list[str]:
    sessions = stand_in.seed_sessions(
        [SessionSeed(3000, status="expired"), SessionSeed(0), SessionSeed(3000, metadata={"order_id": "17"})]
    )
    opened = stand_in.seed_sessions(SessionSeed(3000, status="open") for _ in range(8))
    by_card, declined, converted, converted_as_before, late, succeeded, failed, left = opened
    assert stand_in.session(left)["status"] == "open"
    stand_in.pay(by_card)
    stand_in.pay(declined, "4000000000009995")
    stand_in.pay(converted, convert_to="usd")
    stand_in.pay(converted_as_before, convert_to="usd", converts_session=True)
    for session, iban in (
        (late, "AT611904300234573201"),
        (succeeded, "AT321904300235473204"),
        (failed, "AT861904300235473202"),
    ):
        stand_in.pay(session, None, iban=iban)
    stand_in.settle(succeeded)
    stand_in.settle(failed, succeeded=False)
    _refund(stand_in, stand_in.session(by_card)["payment_intent"])
    stand_in.refund(stand_in.session(converted)["payment_intent"], amount=1000)
    other = stand_in.foreign_payment(PaymentSeed(3000, metadata={"order_id": "17"}))
    stand_in.open_dispute(other, amount=1000)
    stand_in.close_dispute(other, status="lost")
    stand_in.close_dispute(other, status="won")
    disputed = stand_in.session(succeeded)["payment_intent"]
    stand_in.refund(disputed, amount=100)
    stand_in.open_dispute(disputed, inquiry=True)
    stand_in.escalate_dispute(disputed)
    _answer(stand_in, disputed)
    stand_in.move_balance("stripe_fee", -200, description="Radar (2026-11-01 - 2026-11-30)")
    stand_in.move_balance("adjustment", 150)
    paid_out = stand_in.pay_out(everything=True)
    assert paid_out is not None
    stand_in.fail_payout(paid_out["id"])
    assert stand_in.pay_out(amount=100) is not None
    return [*sessions, *opened]


def _answer(stand_in: StripeStandIn, payment: str) -> None:
    client = client_of(stand_in)
    file = client.v1.files.create({"purpose": "dispute_evidence", "file": io.BytesIO(b"%PDF-1.7")})
    [dispute] = client.v1.disputes.list({"payment_intent": payment}).data
    client.v1.disputes.update(dispute.id, {"evidence": {"receipt": file.id, "service_date": "29 November 2026"}})


def _refund(stand_in: StripeStandIn, payment: str) -> None:
    outcomes: Any = ("succeeds", "succeeds_late", "fails_late", "fails_at_once", "requires_action")
    for outcome in outcomes:
        stand_in.set_refund_outcome(payment, outcome)
        made = stand_in.refund(payment, amount=100)
        if outcome == "requires_action":
            stand_in.finish_refund(made["id"], status="canceled")


def _of_sessions(stand_in: StripeStandIn, sessions: list[str]) -> Iterator[Json]:
    for session in sessions:
        expand = ["line_items"]
        expand += ["payment_intent.latest_charge"] if stand_in.session(session)["payment_intent"] else []
        yield _get(stand_in, f"/v1/checkout/sessions/{session}", {"expand[]": expand})
        yield from _get(stand_in, f"/v1/checkout/sessions/{session}/line_items")["data"]


def _listed(stand_in: StripeStandIn) -> Iterator[Json]:
    for path in (
        "/v1/checkout/sessions",
        "/v1/refunds",
        "/v1/disputes",
        "/v1/events",
        "/v1/balance_transactions",
        "/v1/payouts",
    ):
        yield from _get(stand_in, path, {"limit": 100})["data"]
    for event in _get(stand_in, "/v1/events", {"limit": 100})["data"]:
        shown = event["data"]["object"]
        yield shown
        if shown["object"] == "dispute" and shown["evidence"]["receipt"]:
            yield _get(stand_in, f"/v1/files/{shown['evidence']['receipt']}")
        yield _get(stand_in, f"/v2/core/events/{thin_event_id(event['id'])}")
    stand_in.context.webhook_endpoints.append(WebhookEndpoint("https://shop.example/webhooks/stripe"))
    yield from _get(stand_in, "/v1/webhook_endpoints")["data"]
    client = client_of(stand_in)
    made = client.v1.webhook_endpoints.create({"url": "https://shop.example/hook", "enabled_events": ["*"]})
    yield made.to_dict()
    yield from _get(stand_in, "/v2/core/event_destinations")["data"]
    yield client.v2.core.event_destinations.ping(stand_in.destination.id).to_dict()
    yield _get(stand_in, "/v1/account")


def _get(stand_in: StripeStandIn, path: str, parameters: Json | None = None) -> Any:
    answer = requests.get(f"{stand_in.url}{path}", params=parameters, auth=(KEY, ""), timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _class_of(body: Json) -> str:
    if body["object"] == "v2.core.event":
        return f"{''.join(word.title() for word in re.split(r'[._]', body['type']))}Event"
    return CLASSES[body["object"]]


def test_every_object_has_the_fields_that_the_package_knows(objects: list[Json]) -> None:
    thin = {f"events.{_class_of(body)}" for body in objects if body["object"] == "v2.core.event"}
    types = Types(DUMPED | dump(thin))
    found = {deviation for body in objects for deviation in types.deviations(body, _class_of(body))}
    named = {deviation: [rule for rule in DEVIATIONS if re.fullmatch(rule, deviation)] for deviation in found}
    assert sorted(deviation for deviation, rules in named.items() if not rules) == []
    assert set(DEVIATIONS) - {rule for rules in named.values() for rule in rules} == set(), "no deviation any more"
    assert {body["object"] for body in objects} == {*CLASSES, "v2.core.event"}


@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        ({"ammount": 1}, "Refund.ammount: unknown"),
        ({"amount": "100"}, "Refund.amount: no int"),
        ({"amount": None}, "Refund.amount: no int"),
        ({"status": 17}, "Refund.status: no str"),
        ({"reason": "whim"}, "Refund.reason: 'whim' is none of its values"),
        ({"metadata": []}, "Refund.metadata: no map"),
        ({"metadata": {"order_id": 17}}, "Refund.metadata[order_id]: no str"),
        ({"destination_details": {}}, "Refund.destination_details.type: required"),
        ({"charge": {"object": "charge"}}, "Charge.amount: required"),
        (
            {"presentment_details": {"presentment_amount": True}},
            "Refund.presentment_details.presentment_amount: no int",
        ),
    ],
)
def test_what_is_otherwise_is_seen(objects: list[Json], change: Json, deviation: str) -> None:
    refund = next(body for body in objects if body["object"] == "refund")
    assert deviation in set(Types(DUMPED).deviations(refund | change, "Refund"))
