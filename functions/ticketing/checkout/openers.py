"""By what a buyer is known again, so that coming back leads to the same checkout (docs/rules.md, "Seats").

An account is who its token says. A guest is known only by the same client, that is, its network and what its browser
calls itself, together with the e-mail address, and for ten minutes: who merely knows an address is somebody else.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

import msgspec

from ticketing.checkout import discount_codes
from ticketing.orders.checkouts import Opener

GUEST_SECONDS: Final = 600
# Longer than any hold.
_ACCOUNT_SECONDS: Final = 2 * 24 * 3600
# 256 bits: nobody guesses it.
_TOKEN_BYTES: Final = 32


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request comes from: an IPv4 address or an IPv6 network of 64 bits, and the browser's name for itself."""

    network: str
    user_agent: str


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many seats of one ticket may be held at once, and taken for nothing within an hour; 0 is no bound."""

    per_account: int
    per_network: int


def opener_of(
    *,
    ticket_id: int,
    quantity: int,
    email: str,
    code: str | None,
    cognito_sub: str | None,
    client: Client | None,
    bounds: Bounds,
) -> Opener:
    """Say who wants what. Another address is another wish: the receipt goes there."""
    wish = _hash("wish", quantity, email.lower(), discount_codes.normalised(code))
    if cognito_sub is not None:
        return Opener(
            buyer_hash=_hash("account", cognito_sub, ticket_id),
            wish_hash=wish,
            client_hash=_hash("account", cognito_sub),
            known_seconds=_ACCOUNT_SECONDS,
            most_seats=bounds.per_account,
        )
    if client is None:
        return Opener(buyer_hash=None, wish_hash=wish, client_hash=None, known_seconds=GUEST_SECONDS, most_seats=0)
    return Opener(
        buyer_hash=_hash("guest", email.lower(), client.network, client.user_agent, ticket_id),
        wish_hash=wish,
        client_hash=_hash("network", client.network),
        known_seconds=GUEST_SECONDS,
        most_seats=bounds.per_network,
    )


def new_token() -> str:
    """Make the token by which a buyer's browser ends his checkout."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of_token(token: str) -> str:
    """Give what is kept of a token."""
    return _hash("token", token)


def _hash(*parts: str | int | None) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
