"""Who is calling: verifies a Cognito token (RS256) against the user pool's public keys.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
and https://www.rfc-editor.org/rfc/rfc8725 (JWT best current practices). A token is either good or refused: nothing
is ever read out of one that is not verified, except which key is said to have signed it.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from ticketing.errors import ConfigurationError, RetryableError, TicketingError

if TYPE_CHECKING:
    import jwt

# Cognito rotates its keys rarely and announces the next one beforehand.
_KEYS_SECONDS: Final = 3600.0
# A token may name any key it likes: that must not make us ask Cognito each time.
_REFETCH_SECONDS: Final = 30.0
_FETCH_TIMEOUT_SECONDS: Final = 3.0
_LARGEST_KEY_SET: Final = 64 * 1024
# Cognito's tokens have about a kilobyte; with many groups and attributes a few.
_LONGEST_TOKEN: Final = 8 * 1024
# Clocks differ a little.
_LEEWAY_SECONDS: Final = 10
_ALGORITHM: Final = "RS256"


class InvalidToken(TicketingError):
    """The token is not a good one. The sentence says which check failed, for the log; never what the token says."""


class KeysUnavailable(RetryableError):
    """The user pool's public keys cannot be fetched right now, so nobody can say whether the token is good."""


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """A logged-in caller. `verified_email` is only in an ID token, and only if Cognito verified it."""

    cognito_sub: str
    verified_email: str | None


class PublicKeys:
    """The public keys of a user pool (JWKS), fetched over HTTP and kept for an hour.

    A key that is not known is looked for once more, at most every 30 seconds. While the pool does not answer,
    the keys that are known stay good.
    """

    def __init__(self, url: str) -> None:
        """Take the address of the pool's `jwks.json`.

        Raises:
            ConfigurationError: it is no HTTP address.
        """
        if not url.startswith(("https://", "http://")):
            raise ConfigurationError("COGNITO_JWKS_URL must be an http(s) address.")
        self._url = url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._good_until = 0.0
        self._asked_at = float("-inf")
        self._last_fetch_failed = False
        self._lock = threading.Lock()

    def get(self, key_id: str) -> jwt.PyJWK:
        """Give the key of this id.

        Raises:
            InvalidToken: the pool has no such key.
            KeysUnavailable: the key is not known, and the pool could not be asked.
        """
        with self._lock:
            now = time.monotonic()
            if (key_id not in self._keys or now >= self._good_until) and now - self._asked_at >= _REFETCH_SECONDS:
                self._fetch(now)
            key = self._keys.get(key_id)
            if key is not None:
                return key
            if self._last_fetch_failed:
                raise KeysUnavailable("The user pool's public keys could not be fetched.")
            raise InvalidToken("The token is signed with a key that the user pool does not have.")

    def _fetch(self, now: float) -> None:
        self._asked_at = now
        try:
            keys = _parse(_download(self._url))
        except (OSError, ValueError):
            self._last_fetch_failed = True
            return
        self._keys = keys
        self._last_fetch_failed = False
        self._good_until = now + _KEYS_SECONDS


class TokenVerifier:
    """Verifies the ID and access tokens of one user pool for the shop's own app clients."""

    def __init__(self, *, issuer: str, client_ids: frozenset[str], keys: PublicKeys) -> None:
        """Take the pool's issuer address, the ids of the shop's app clients, and the pool's keys."""
        self._issuer = issuer
        self._client_ids = client_ids
        self._keys = keys

    def verify(self, token: str) -> Buyer:
        """Verify signature, issuer, expiry, kind and client of a token, and give whose it is.

        Raises:
            InvalidToken: it is not a good one.
            KeysUnavailable: that cannot be decided right now.
        """
        # Imported here: it brings the cryptography package, and guests need neither.
        import jwt  # noqa: PLC0415 -- see above

        if len(token) > _LONGEST_TOKEN:
            raise InvalidToken("The token is too long.")
        try:
            key = self._keys.get(_key_id(jwt.get_unverified_header(token)))
            claims = jwt.decode(
                token,
                key,
                # The only algorithm, whatever the header says: no `none`, no HMAC with the public key as a secret.
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                # The audience is in `aud` or in `client_id`, by the kind of token; checked below.
                options={"require": ["exp", "iss", "sub", "token_use"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidToken(f"The token was refused: {type(error).__name__}.") from None
        return self._buyer(claims)

    def _buyer(self, claims: dict[str, Any]) -> Buyer:
        kind = claims["token_use"]
        if kind == "id":
            client = claims.get("aud")
        elif kind == "access":
            client = claims.get("client_id")
        else:
            _refuse("is neither an ID nor an access token")
        if not isinstance(client, str) or client not in self._client_ids:
            _refuse("belongs to another app client")
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject:
            _refuse("names nobody")
        return Buyer(cognito_sub=subject, verified_email=_verified_email(claims) if kind == "id" else None)


def _refuse(what: str) -> NoReturn:
    raise InvalidToken(f"The token {what}.")


def _key_id(header: dict[str, Any]) -> str:
    key_id = header.get("kid")
    if header.get("alg") != _ALGORITHM or not isinstance(key_id, str):
        raise InvalidToken("The token is not signed with RS256 and a named key.")
    return key_id


def _verified_email(claims: dict[str, Any]) -> str | None:
    email, verified = claims.get("email"), claims.get("email_verified")
    # Cognito writes a boolean, some federated pools the word.
    if isinstance(email, str) and email and (verified is True or verified == "true"):
        return email
    return None


def _download(url: str) -> bytes:
    import http.client  # noqa: PLC0415 -- slow to import: guests bring no token
    import urllib.request  # noqa: PLC0415 -- as above

    try:
        # The address comes from the deployment and is http(s), see PublicKeys.
        with urllib.request.urlopen(url, timeout=_FETCH_TIMEOUT_SECONDS) as answer:  # noqa: S310 -- see above
            body: bytes = answer.read(_LARGEST_KEY_SET + 1)
    except http.client.HTTPException as error:
        raise OSError(f"{url} answers no HTTP.") from error
    if len(body) > _LARGEST_KEY_SET:
        raise ValueError("the key set is too large")
    return body


def _parse(body: bytes) -> dict[str, jwt.PyJWK]:
    import jwt  # noqa: PLC0415 -- see TokenVerifier.verify

    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a key set")  # noqa: TRY004 -- what the network sent, not what a caller passed
    keys = {}
    for entry in listed:
        if isinstance(entry, dict) and entry.get("kty") == "RSA" and isinstance(entry.get("kid"), str):
            try:
                keys[entry["kid"]] = jwt.PyJWK(entry, algorithm=_ALGORITHM)
            except jwt.PyJWTError as error:
                raise ValueError("a key is malformed") from error
    return keys
