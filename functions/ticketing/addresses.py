"""E-mail addresses: one form of each for keeping and for Stripe, and what counts as the same.

A domain may be written in its own letters (`müller.example`) or in ASCII (`xn--mller-kva.example`, IDNA 2008); both are
one address. Letters beyond ASCII before the @ are left as they are: whose they are only the mail server knows.
"""

from __future__ import annotations


def ascii_address(address: str) -> str | None:
    """Give an address with its domain in ASCII; None if its domain can be none."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    # Imported here: its tables take longer to load than the rest of a function, and few domains need them.
    import idna  # noqa: PLC0415 -- see above

    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
    except UnicodeError:  # idna.IDNAError is one
        return None


def spellings(address: str) -> list[str]:
    """Give all ways in which the database may have an address, in lower case as `email_lower` is."""
    ways = {address.lower(), (ascii_address(address) or address).lower(), _unicode_address(address).lower()}
    return sorted(ways)


def is_same(one: str, other: str) -> bool:
    """Tell whether two addresses are one: regardless of case, and of how the domain is written. Nothing else is."""
    return _comparable(one) == _comparable(other)


def _comparable(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{_lower(local)}{at}{_lower((ascii_address(at + domain) or at + domain)[len(at) :])}"


def _lower(text: str) -> str:
    """Give a text in lower case, but no other letter than it has: the Kelvin sign's lower case is a plain k."""
    return "".join(letter.lower() if letter.isascii() == letter.lower().isascii() else letter for letter in text)


def _unicode_address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if "xn--" not in domain.lower():
        return address
    import idna  # noqa: PLC0415 -- see `ascii_address`

    try:
        return f"{local}{at}{idna.decode(domain)}"
    except UnicodeError:
        return address
