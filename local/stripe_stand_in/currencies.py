"""What Stripe knows of currencies: decimals, smallest charges and how an amount is written.

Source: docs.stripe.com/currencies ("Zero-decimal currencies", "Minimum and maximum charge amounts").
"""

from decimal import ROUND_UP, Decimal

ZERO_DECIMAL = frozenset(
    [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
        "xpf",
    ],
)  # fmt: skip
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

# In minor units.
MINIMUM_CHARGE = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
MAXIMUM_CHARGE = 99_999_999

_OTHERS = frozenset(
    [
        "ars", "cop", "egp", "gel", "ils", "isk", "kes", "mad", "ngn", "pen", "php", "qar", "rsd", "sar", "try",
        "twd", "uah", "uyu", "zar",
    ],
)  # fmt: skip
SUPPORTED = frozenset(MINIMUM_CHARGE) | _OTHERS | ZERO_DECIMAL | THREE_DECIMAL

# What a euro is worth, roughly (late 2026): enough to refuse what is clearly too small.
_ABOUT_A_EURO = {
    currency: Decimal(units)
    for currency, units in {
        "ars": "1500", "bhd": "0.41", "bif": "3300", "clp": "1080", "cop": "4500", "djf": "190", "egp": "55",
        "gel": "3.1", "gnf": "9500", "ils": "4", "isk": "146", "jod": "0.77", "kes": "140", "kmf": "492",
        "krw": "1600", "kwd": "0.33", "mad": "10.6", "mga": "5100", "ngn": "1700", "omr": "0.42", "pen": "4",
        "php": "65", "pyg": "8000", "qar": "4", "rsd": "117", "rwf": "1550", "sar": "4.1", "tnd": "3.4",
        "try": "45", "twd": "35", "uah": "46", "ugx": "4100", "uyu": "47", "vnd": "28000", "vuv": "128",
        "xaf": "656", "xof": "656", "xpf": "119.3", "zar": "20",
    }.items()
}  # fmt: skip

_SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£", "jpy": "¥"}


# The same of the others that are common.
_ABOUT_A_EURO |= {
    currency: Decimal(units)
    for currency, units in {"aud": "1.78", "cad": "1.62", "chf": "0.93", "gbp": "0.87", "usd": "1.16"}.items()
}


def euros_for(currency: str) -> Decimal:
    """Return how many cents one minor unit of a currency is worth, about."""
    worth = Decimal(1) / _ABOUT_A_EURO.get(currency, Decimal(1))
    return (worth.scaleb(2 - decimals(currency))).quantize(Decimal("0.000001"))


def decimals(currency: str) -> int:
    """Return how many decimals the currency has: 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def minimum_charge(currency: str) -> int:
    """Return the smallest amount above 0 that Stripe charges, in minor units.

    A currency without a minimum of its own must come to the 50 cents of the account's own (`eur`).
    """
    own = MINIMUM_CHARGE.get(currency)
    if own is not None:
        return own
    half = Decimal("0.50") * _ABOUT_A_EURO.get(currency, Decimal(1))
    return int((half * 10 ** decimals(currency)).to_integral_value(ROUND_UP))


def format_amount(minor: int, currency: str) -> str:
    """Write an amount in minor units for people, as `€30.00` or `CHF 30.00`."""
    places = decimals(currency)
    whole, rest = divmod(abs(minor), 10**places)
    number = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    symbol = _SYMBOLS.get(currency)
    sign = "-" if minor < 0 else ""
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{currency.upper()} {number}"
