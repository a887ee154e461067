"""The hosted payment page behind a session's `url`.

Plain HTML without scripts or anything from elsewhere: it works by keyboard, on a phone and in the dark.
"""

import functools
from collections.abc import Iterable
from html import escape
from http import HTTPStatus
from pathlib import Path

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.stripe_stand_in import payments, sessions
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.currencies import format_amount
from local.stripe_stand_in.errors import ApiError
from local.stripe_stand_in.hosted_form import COUNTRIES, DEFAULT_COUNTRY, mistake
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.store import Record

_HEADERS = {
    "Cache-Control": "no-store",
    # No form-action: browsers apply it to the redirect to the shop as well.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    # Not no-referrer: with it browsers post the page's own form with `Origin: null`, as a stranger's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_MANDATE = (
    "The result of a bank debit is known later. By paying you give Cachao Tickets, and Stripe for it, a mandate to"
    " debit this account once; your bank gives the money back if you ask within eight weeks."
)
_HINTS = (
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0000 0000 9995", "declined: insufficient funds"),
    ("AT61 1904 3002 3457 3201", "debit succeeds after a moment"),
    ("AT86 1904 3002 3547 3202", "debit fails after a moment"),
)


def respond(context: Context, request: Request, session_id: str) -> Response:
    """Show the page, or do what its form says."""
    try:
        record = sessions.find(context, session_id)
    except ApiError:
        return _message(
            "Nothing to pay here",
            "This checkout session does not exist.",
            None,
            HTTPStatus.NOT_FOUND,
        )
    if request.method == "POST":
        return _submit(context, request, record)
    return _show(context, record)


def _show(
    context: Context, record: Record, form: JsonObject | None = None, error: str = "", field: str | None = None
) -> Response:
    session = record.body
    overdue = session["status"] == "open" and session["expires_at"] <= context.clock()
    if session["status"] == "expired" or overdue:
        text = "This checkout session has expired and nothing was charged. Please start again in the shop."
        return _message("Session expired", text, session["cancel_url"], HTTPStatus.GONE)
    if session["status"] == "complete":
        unpaid = session["payment_status"] == "unpaid"
        text = "This order is complete. You can close this page."
        text = "Your bank debit is on its way; the shop will hear of its result." if unpaid else text
        target = session["success_url"] and session["success_url"].replace("{CHECKOUT_SESSION_ID}", record.id)
        return _message("You're all done here", text, target, HTTPStatus.OK)
    status = HTTPStatus.PAYMENT_REQUIRED if error else HTTPStatus.OK
    return _page("Checkout", "pay", _summary(record) + _form(record, form or {}, error, field), status)


def _submit(context: Context, request: Request, record: Record) -> Response:
    form = {name: value.strip()[:300] for name, value in request.form.items()}
    if form.get("action") == "cancel":
        if record.body["cancel_url"]:
            return _redirect(record.body["cancel_url"])
        return _message("Cancelled", "Nothing was charged. You can close this page.", None, HTTPStatus.OK)
    wrong = mistake(record.body, form, context.clock())
    if wrong is not None and record.status == "open":
        field, error = wrong
        return _show(context, record, form, error, field)
    debit = form.get("method") == "sepa_debit"
    payer = payments.Payer(
        card=None if debit else form.get("card_number") or None,
        iban=form.get("iban") if debit else None,
        email=form.get("email") or None,
        name=form.get("name") or None,
        country=form.get("country") or None,
        postal_code=form.get("postal_code") or None,
    )
    try:
        result = payments.pay(context, record.id, payer)
    except ApiError as refusal:
        return _show(context, record, form, refusal.message)
    if result.outcome in {"paid", "processing"} and result.redirect_url:
        return _redirect(result.redirect_url)
    error = result.message if result.outcome == "declined" else ""
    return _show(context, sessions.find(context, record.id), form, error)


def _redirect(url: str) -> Response:
    response = redirect(url, HTTPStatus.SEE_OTHER)
    response.headers.update(_HEADERS)
    return response


def _summary(record: Record) -> str:
    session = record.body
    items = "".join(
        f"<li><span>{escape(item['description'])}"
        f"<small>{item['quantity']} &times; {_amount(item['price']['unit_amount'], item['currency'])}</small></span>"
        f"<span>{_amount(item['amount_total'], item['currency'])}</span></li>"
        for item in record.private.get("line_items", [])
    )
    heading = "Pay Cachao Tickets" if session["amount_total"] else "Your free order at Cachao Tickets"
    return (
        f"<section aria-labelledby='what'><h1 id='what'>{heading}</h1>"
        f"<p class='total'>{_amount(session['amount_total'], session['currency'])}</p>"
        f"<ul class='items'>{items}</ul></section>"
    )


def _amount(minor: int, currency: str) -> str:
    return escape(format_amount(minor, currency))


def _form(record: Record, form: JsonObject, error: str, field: str | None) -> str:
    session = record.body
    alert = f"<p class='error' role='alert' id='error'>{escape(error)}</p>" if error else ""
    free = session["amount_total"] == 0
    email = session["customer_email"] or form.get("email", "")
    locked = " readonly" if session["customer_email"] else ""
    total = _amount(session["amount_total"], session["currency"])
    methods = "" if free else _methods(session["payment_method_types"], form, field)
    hints = "" if free else _hints(session["payment_method_types"])
    return (
        f"<section class='panel' aria-labelledby='how'><h2 id='how'>{'Your order' if free else 'Payment'}</h2>{alert}"
        f"<form method='post' novalidate>"
        "<label for='email'>Email</label>"
        f"<input id='email' name='email' type='email' autocomplete='email' value='{escape(email)}'"
        f"{locked}{_invalid('email', field)}>"
        f"{methods}"
        f"<button class='go' name='action' value='pay'>{'Complete order' if free else f'Pay {total}'}</button>"
        f"<button class='stop' name='action' value='cancel'>Cancel</button></form>{hints}</section>"
    )


def _methods(allowed: list[str], form: JsonObject, field: str | None) -> str:
    def text(name: str, label: str, autocomplete: str, *, numeric: bool = False, example: str = "") -> str:
        # A card number never goes back into the page.
        value = "" if name in {"card_number", "cvc"} else escape(form.get(name, ""))
        mode = " inputmode='numeric'" if numeric else ""
        hint = f" placeholder='{example}'" if example else ""
        return (
            f"<label for='{name}'>{label}</label><input id='{name}' name='{name}' type='text' value='{value}'"
            f" autocomplete='{autocomplete}'{mode}{hint}{_invalid(name, field)}>"
        )

    debit = "card" not in allowed or (form.get("method") == "sepa_debit" and "sepa_debit" in allowed)
    radios = tabs = ""
    names = {"card": ("method-card", "Card"), "sepa_debit": ("method-sepa", "SEPA Direct Debit")}
    for method in allowed:
        identity, label = names[method]
        checked = " checked" if (method == "sepa_debit") == debit else ""
        radios += f"<input class='method' type='radio' name='method' id='{identity}' value='{method}'{checked}>"
        tabs += f"<label for='{identity}'>{label}</label>"
    return (
        "<fieldset><legend>Payment method</legend>"
        f"{radios}<div class='tabs'>{tabs}</div>"
        f"<div class='by-card'>{text('card_number', 'Card number', 'cc-number', numeric=True)}"
        f"<div class='row'><div>{text('expiry', 'Expiry', 'cc-exp', numeric=True, example='MM / YY')}</div>"
        f"<div>{text('cvc', 'Security code', 'cc-csc', numeric=True, example='CVC')}</div></div></div>"
        f"<div class='by-debit'>{text('iban', 'IBAN', 'off')}"
        f"<p class='hint'>{_MANDATE}</p></div>"
        f"{text('name', 'Name', 'name')}{_country(form, field)}"
        f"<div class='postal-code'>{text('postal_code', 'Postal code', 'postal-code')}</div></fieldset>"
    )


def _country(form: JsonObject, field: str | None) -> str:
    chosen = form.get("country") or DEFAULT_COUNTRY
    options = "".join(
        f"<option value='{code}'{' selected' if code == chosen else ''}>{name}</option>"
        for code, name in sorted(COUNTRIES.items(), key=lambda country: country[1])
    )
    return (
        "<label for='country'>Country or region</label>"
        f"<select id='country' name='country' autocomplete='country'{_invalid('country', field)}>{options}</select>"
    )


def _invalid(name: str, field: str | None) -> str:
    """Mark the field that is wrong, and put the buyer there."""
    return " aria-invalid='true' aria-describedby='error' autofocus" if name == field else ""


def _hints(allowed: Iterable[str]) -> str:
    rows = "".join(
        f"<tr><td>{number}</td><td>{meaning}</td></tr>"
        for number, meaning in _HINTS
        if ("sepa_debit" if number.startswith("AT") else "card") in allowed
    )
    text = "Any future expiry date, security code, name and country will do."
    return f"<details><summary>Test numbers</summary><table>{rows}</table><p>{text}</p></details>"


def _message(title: str, text: str, target: str | None, status: HTTPStatus) -> Response:
    link = f"<a class='button go' href='{escape(target)}'>Back to the shop</a>" if target else ""
    body = f"<section class='panel'><h2>{escape(title)}</h2><p>{escape(text)}</p>{link}</section>"
    return _page(title, "done", body, status)


def _page(title: str, layout: str, body: str, status: HTTPStatus) -> Response:
    text = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)} - test mode</title><style>{_style()}</style></head>"
        "<body><header class='banner'><strong>Test mode.</strong> This page stands in for Stripe's;"
        f" no money moves.</header><main class='{layout}'>{body}</main></body></html>"
    )
    return Response(text, status=int(status), headers=_HEADERS, content_type="text/html; charset=utf-8")


@functools.cache
def _style() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
