"""Checkout Sessions: made, read, listed, expired."""

from typing import Any

from local.stripe_stand_in import currencies, events
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.errors import invalid_parameter, not_imitated, refused, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import HashOf, OneOf, string
from local.stripe_stand_in.session_object import checkout_session, line_item
from local.stripe_stand_in.session_parameters import PAYMENT_METHODS
from local.stripe_stand_in.store import Record

SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 3600
# Stripe forgives the seconds a request is on its way; how many it does not say.
TOLERANCE_SECONDS = 10
CHECKOUT_PATH = "/c/pay/"

LIST = HashOf(
    LIST_FIELDS | {"payment_intent": string(), "status": OneOf("complete", "expired", "open")},
    known_to_stripe=lambda: ("customer", "customer_account", "customer_details", "payment_link", "subscription"),
)
LIST_LINE_ITEMS = HashOf({key: LIST_FIELDS[key] for key in LIST_FIELDS if key != "created"})


def create(context: Context, parameters: JsonObject, request: RequestInfo) -> JsonObject:
    """Create a Checkout Session in payment mode with a hosted page.

    Raises:
        ApiError: As Stripe: parameters, `amount_too_small`, `expires_at` out of bounds.
    """
    del request  # creating a session makes no event
    _check_mode(parameters)
    now = context.now()
    currency = _check_currency(parameters)
    total = _check_total(parameters, currency)
    if parameters.get("automatic_tax", {}).get("enabled"):
        raise not_imitated("taxes", "automatic_tax")
    methods = parameters.get("allowed_payment_method_types", [])
    if not set(methods) <= set(PAYMENT_METHODS):
        raise not_imitated(f"payment methods but {', '.join(PAYMENT_METHODS)}", "allowed_payment_method_types")
    if "sepa_debit" in methods and currency != "eur":
        raise invalid_parameter(
            f"The payment method `sepa_debit` cannot be used with the currency `{currency}`.",
            "allowed_payment_method_types",
        )
    session = checkout_session(
        parameters,
        created=now,
        expires_at=_check_expiry(parameters, now),
        currency=currency,
        total=total,
    )
    record = Record(
        "checkout.session",
        session,
        private={
            "line_items": [line_item(item, now) for item in parameters["line_items"]],
            "payment_intent_data": parameters.get("payment_intent_data", {}),
        },
        status="open",
        due=session["expires_at"],
    )
    context.store.insert(record)
    return _answer(context, record, parameters.get("expand", []))


def _check_mode(parameters: JsonObject) -> None:
    if "mode" not in parameters:
        raise invalid_parameter(
            "You must provide one of the following params: mode, line_items with recurring prices.",
            "mode",
            "parameter_missing",
        )
    if parameters["mode"] != "payment":
        raise not_imitated(f"mode={parameters['mode']}", "mode")
    if parameters.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_imitated(f"ui_mode={parameters['ui_mode']}", "ui_mode")
    for name in ("success_url", "line_items"):
        if not parameters.get(name):
            raise invalid_parameter(f"Missing required param: {name}.", name, "parameter_missing")


def _check_currency(parameters: JsonObject) -> str:
    for position, item in enumerate(parameters["line_items"]):
        price_data = item["price_data"]
        price_data["currency"] = price_data["currency"].lower()
        if price_data["currency"] not in currencies.SUPPORTED:
            raise invalid_parameter(
                f"Invalid currency: {price_data['currency'][:20]}. Stripe currently supports these currencies:"
                f" {', '.join(sorted(currencies.SUPPORTED))}",
                f"line_items[{position}][price_data][currency]",
            )
    used = {item["price_data"]["currency"] for item in parameters["line_items"]}
    used |= {parameters["currency"].lower()} if "currency" in parameters else set()
    if len(used) > 1:
        raise invalid_parameter(
            "You cannot combine currencies on a single Checkout Session."
            f" The line items and the session use {', '.join(sorted(used))}.",
            "line_items",
        )
    return str(used.pop())


def _check_total(parameters: JsonObject, currency: str) -> int:
    """Return the sum of the line items in minor units."""
    total = sum(item["price_data"]["unit_amount"] * item["quantity"] for item in parameters["line_items"])
    if total > currencies.MAXIMUM_CHARGE:
        largest = currencies.format_amount(currencies.MAXIMUM_CHARGE, currency)
        raise refused(
            f"The Checkout Session's total amount due must be no more than {largest}",
            "amount_too_large",
        )
    smallest = currencies.minimum_charge(currency)
    if 0 < total < smallest and currency not in currencies.MINIMUM_CHARGE:
        raise refused(
            "The Checkout Session's total amount must convert to at least 50 cents."
            f" {currencies.format_amount(total, currency)} does not.",
            "amount_too_small",
        )
    if 0 < total < smallest:
        raise refused(
            "The Checkout Session's total amount due must add up to at least"
            f" {currencies.format_amount(smallest, currency)} {currency}",
            "amount_too_small",
        )
    return int(total)


def _check_expiry(parameters: JsonObject, now: int) -> int:
    expires_at = int(parameters.get("expires_at", now + LONGEST_SECONDS))
    if expires_at < now + SHORTEST_SECONDS - TOLERANCE_SECONDS:
        raise invalid_parameter(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            "expires_at",
        )
    if expires_at > now + LONGEST_SECONDS + TOLERANCE_SECONDS:
        raise invalid_parameter(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        )
    return expires_at


def show(context: Context, record: Record) -> JsonObject:
    """Return a session as the API shows it: with an address while it is open."""
    is_open = record.body["status"] == "open"
    url = f"{context.base_url()}{CHECKOUT_PATH}{record.id}" if is_open else None
    return record.body | {"url": url}


def _answer(context: Context, record: Record, paths: list[str]) -> JsonObject:
    included = {"line_items": lambda: _page_of_items(record, {})}
    return expand(context, show(context, record), paths, included)


def find(context: Context, session_id: str) -> Record:
    """Return a session's record.

    Raises:
        ApiError: 404 `resource_missing`.
    """
    record = context.store.get("checkout.session", session_id)
    if record is None:
        raise resource_missing("checkout.session", session_id, "session")
    return record


def retrieve(context: Context, session_id: str, parameters: JsonObject) -> JsonObject:
    """Return a session; `expand[]` takes payment_intent, payment_intent.latest_charge and line_items."""
    return _answer(context, find(context, session_id), parameters.get("expand", []))


def list_sessions(context: Context, parameters: JsonObject) -> JsonObject:
    """Return sessions, newest first."""
    statuses = (parameters["status"],) if "status" in parameters else ()
    page = list_objects(
        context,
        "checkout.session",
        parameters,
        "/v1/checkout/sessions",
        statuses=statuses,
        show=show,
    )
    return expand(context, page, parameters.get("expand", []))


def list_line_items(context: Context, session_id: str, parameters: JsonObject) -> JsonObject:
    """Return what is bought."""
    return _page_of_items(find(context, session_id), parameters)


def _page_of_items(record: Record, parameters: JsonObject) -> JsonObject:
    items: list[Any] = record.private.get("line_items", [])
    places = {item["id"]: place for place, item in enumerate(items)}
    start, end, limit = 0, len(items), parameters.get("limit", 10)
    if "starting_after" in parameters:
        start = places.get(parameters["starting_after"], len(items)) + 1
    if "ending_before" in parameters:
        end = places.get(parameters["ending_before"], 0)
        start = max(0, end - limit)
    page = items[start:end][:limit]
    more = start > 0 if "ending_before" in parameters else start + len(page) < len(items)
    url = f"/v1/checkout/sessions/{record.id}/line_items"
    return {"object": "list", "data": page, "has_more": more, "url": url}


def expire(context: Context, session_id: str, parameters: JsonObject, request: RequestInfo) -> JsonObject:
    """Expire an open session at the shop's request.

    Raises:
        ApiError: 400 when it is not open: the buyer was faster, or time was.
    """
    with context.store.transaction():
        record = find(context, session_id)
        if record.status == "open" and record.body["expires_at"] <= context.clock():
            expire_now(context, record, RequestInfo())
        elif record.status == "open":
            expire_now(context, record, request)
            return _answer(context, record, parameters.get("expand", []))
    raise refused(
        'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
        f" `{record.status}`.",
    )


def expire_now(context: Context, record: Record, request: RequestInfo) -> None:
    """Expire an open session, cancel what was tried to pay it, and tell."""
    record.body |= {"status": "expired"}
    record.status, record.due = "expired", None
    with context.store.transaction():
        context.store.update(record)
        if record.body["payment_intent"] is not None:
            _cancel_payment(context, record.body["payment_intent"])
        events.emit(context, "checkout.session.expired", show(context, record), request)


def _cancel_payment(context: Context, payment_intent_id: str) -> None:
    payment = context.store.get("payment_intent", payment_intent_id)
    if payment is not None:
        payment.body |= {
            "status": "canceled",
            "canceled_at": context.now(),
            "cancellation_reason": "automatic",
        }
        payment.status = "canceled"
        context.store.update(payment)
