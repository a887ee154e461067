"""What the hosted page asks for, as Stripe's does, and whether the buyer gave it.

By card: number, expiry, security code, name, country, and a postal code where banks there check it. By debit: IBAN,
name, country. The e-mail address where the shop gave none; of a free order nothing else.
"""

import re
from datetime import UTC, datetime
from typing import Final

from local.stripe_stand_in.instruments import compact
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import is_email

COUNTRIES: Final = {
    "AT": "Austria",
    "BE": "Belgium",
    "CA": "Canada",
    "CH": "Switzerland",
    "CU": "Cuba",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "HU": "Hungary",
    "IE": "Ireland",
    "IT": "Italy",
    "NL": "Netherlands",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
    "SI": "Slovenia",
    "SK": "Slovakia",
    "US": "United States",
}
DEFAULT_COUNTRY: Final = "AT"
# Where Stripe asks for the postal code of a card's holder.
WITH_POSTAL_CODE: Final = ("CA", "GB", "US")
_EXPIRY: Final = re.compile(r"(0?[1-9]|1[0-2])\s*/?\s*(?:20)?(\d{2})", re.ASCII)
_SECURITY_CODE: Final = re.compile(r"\d{3,4}", re.ASCII)


def mistake(session: JsonObject, form: JsonObject, now: float) -> tuple[str, str] | None:
    """Give the first field that is not right, and what is wrong with it; None where all is.

    Args:
        session: The Checkout Session.
        form: What was typed, by the fields' names.
        now: In seconds since 1970.
    """
    if not session["customer_email"] and not is_email(form.get("email", "")):
        return "email", "Enter your email address, as name@example.com."
    if session["amount_total"] == 0:
        return None
    found = _of_debit(form) if form.get("method") == "sepa_debit" else _of_card(form, now)
    if found is not None:
        return found
    if not form.get("name"):
        return "name", "Enter your name."
    return _of_address(form)


def _of_debit(form: JsonObject) -> tuple[str, str] | None:
    return None if compact(form.get("iban", "")) else ("iban", "Enter your IBAN.")


def _of_card(form: JsonObject, now: float) -> tuple[str, str] | None:
    if not compact(form.get("card_number", "")):
        return "card_number", "Enter your card number."
    expiry = _EXPIRY.fullmatch(form.get("expiry", ""))
    if expiry is None:
        return "expiry", "Enter when your card expires, as 12 / 34."
    today = datetime.fromtimestamp(now, UTC)
    if (2000 + int(expiry[2]), int(expiry[1])) < (today.year, today.month):
        return "expiry", "Your card has expired."
    if _SECURITY_CODE.fullmatch(form.get("cvc", "")) is None:
        return "cvc", "Enter your card's security code, three or four digits."
    return None


def _of_address(form: JsonObject) -> tuple[str, str] | None:
    country = form.get("country", "")
    if country not in COUNTRIES:
        return "country", "Choose your country."
    if form.get("method") != "sepa_debit" and country in WITH_POSTAL_CODE and not form.get("postal_code"):
        return "postal_code", "Enter your postal code."
    return None
