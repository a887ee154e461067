"""What Stripe knows of currencies: decimals, smallest charges and how an amount is written.

Source: docs.stripe.com/currencies ("Zero-decimal currencies", "Minimum and maximum charge amounts").
"""

ZERO_DECIMAL = frozenset(
    [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
        "xpf",
    ],
)  # fmt: skip
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

# In minor units; Stripe converts other currencies to the account's own, which needs a rate: they get 1.
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

_SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£", "jpy": "¥"}


def decimals(currency: str) -> int:
    """Return how many decimals the currency has: 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def minimum_charge(currency: str) -> int:
    """Return the smallest amount above 0 that Stripe charges, in minor units."""
    return MINIMUM_CHARGE.get(currency, 1)


def format_amount(minor: int, currency: str) -> str:
    """Write an amount in minor units for people, as `€30.00` or `CHF 30.00`."""
    places = decimals(currency)
    whole, rest = divmod(abs(minor), 10**places)
    number = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    symbol = _SYMBOLS.get(currency)
    sign = "-" if minor < 0 else ""
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{currency.upper()} {number}"
