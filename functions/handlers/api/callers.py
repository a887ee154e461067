"""Who is calling the HTTP API: the buyer of a verified token, or nobody."""

from __future__ import annotations

import functools
import os

from handlers.api import public_errors
from handlers.api.http import Request
from handlers.settings import required
from ticketing.buyers.tokens import Buyer, InvalidToken, PublicKeys, TokenVerifier


def caller(request: Request) -> Buyer | None:
    """Give the buyer whose token came with the request; None if none came.

    Raises:
        InvalidToken: a token came, and it is not a good one. Never taken for a guest.
        KeysUnavailable: that cannot be decided right now.
        ConfigurationError: the user pool's settings are missing.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken("The Authorization header is not a bearer token.")
    return _verifier().verify(token.strip())


def logged_in(request: Request) -> Buyer:
    """Give the buyer whose token came with the request.

    Raises:
        PublicError: invalid_token, none came.
        InvalidToken: it is not a good one.
        KeysUnavailable: that cannot be decided right now.
    """
    buyer = caller(request)
    if buyer is None:
        raise public_errors.login_required()
    return buyer


@functools.cache
def _verifier() -> TokenVerifier:
    clients = (client.strip() for client in required("COGNITO_CLIENT_IDS").split(","))
    issuer = required("COGNITO_ISSUER")
    return TokenVerifier(
        issuer=issuer,
        client_ids=frozenset(client for client in clients if client),
        # https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
        keys=PublicKeys(os.environ.get("COGNITO_JWKS_URL") or f"{issuer.rstrip('/')}/.well-known/jwks.json"),
    )
