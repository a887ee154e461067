"""Tokens: only what the shop's own user pool signed, for the shop's own clients, and not for longer than it said."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ticketing.buyers.tokens import Buyer, InvalidToken, KeysUnavailable, PublicKeys, TokenVerifier
from ticketing.errors import ConfigurationError

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
CLIENT = "client1"


class Pool:
    """A user pool: keys, and a server of their public halves that can be told to fail."""

    def __init__(self) -> None:
        self.keys = {"k1": new_key()}
        self.fetches = 0
        self.failing = False
        self.answer: bytes | None = None

    @property
    def jwks(self) -> bytes:
        if self.answer is not None:
            return self.answer
        return json.dumps({"keys": [public_jwk(key, name) for name, key in self.keys.items()]}).encode()

    def token(self, *, key_id: str | None = "k1", key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        """An ID token; a claim of None is left out."""
        body = {
            "sub": "buyer-1",
            "iss": ISSUER,
            "aud": CLIENT,
            "token_use": "id",
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
            "email": "Jo@Example.com",
            "email_verified": True,
        } | claims
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, key or self.keys["k1"], "RS256", headers={"kid": key_id} if key_id else None)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey, name: str) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": "RS256"}


@pytest.fixture(scope="module")
def pool_server() -> Iterator[tuple[Pool, str]]:
    pool = Pool()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pool.fetches += 1
            self.send_response(503 if pool.failing else 200)
            self.end_headers()
            self.wfile.write(pool.jwks)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield pool, f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pool(pool_server: tuple[Pool, str]) -> Pool:
    pool = pool_server[0]
    pool.keys = {"k1": pool.keys["k1"]}
    pool.fetches, pool.failing, pool.answer = 0, False, None
    return pool


@pytest.fixture
def verifier(pool: Pool, pool_server: tuple[Pool, str]) -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, client_ids=frozenset({CLIENT, "client2"}), keys=PublicKeys(pool_server[1]))


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("ticketing.buyers.tokens.time.monotonic", lambda: now[0])
    return now


def test_an_id_token(pool: Pool, verifier: TokenVerifier) -> None:
    assert verifier.verify(pool.token()) == Buyer(cognito_sub="buyer-1", verified_email="Jo@Example.com")


def test_an_access_token_names_its_client_elsewhere_and_has_no_address(pool: Pool, verifier: TokenVerifier) -> None:
    token = pool.token(token_use="access", aud=None, client_id="client2", email="x@example.com")
    assert verifier.verify(token) == Buyer(cognito_sub="buyer-1", verified_email=None)


@pytest.mark.parametrize("verified", [None, False, "false", 1, "yes"])
def test_an_address_that_is_not_verified_counts_for_nothing(
    pool: Pool, verifier: TokenVerifier, verified: object
) -> None:
    assert verifier.verify(pool.token(email_verified=verified)).verified_email is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": int(time.time()) + 3600},
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_other"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": [CLIENT]},
        {"aud": None, "client_id": CLIENT},  # an ID token with an access token's claim
        {"token_use": "access"},  # an access token with an ID token's claim
        {"token_use": "access", "aud": None, "client_id": "another client"},
        {"token_use": "refresh"},
        {"token_use": ["id"]},
        {"token_use": None},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
def test_a_signed_token_that_is_not_for_us(pool: Pool, verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(pool.token(**claims))


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_forged_tokens(pool: Pool, verifier: TokenVerifier) -> None:
    good = pool.token()
    header, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    public = (
        pool.keys["k1"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    hs256 = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1'})}.{body}"
    mac = base64.urlsafe_b64encode(hmac.new(public, hs256.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    forged = {
        "another key under the same name": pool.token(key=new_key()),
        "another body": f"{header}.{encoded(claims | {'sub': 'somebody else'})}.{signature}",
        "no signature": f"{header}.{body}.",
        "alg none": f"{encoded({'alg': 'none', 'kid': 'k1'})}.{body}.",
        "alg None": f"{encoded({'alg': 'None', 'kid': 'k1'})}.{body}.{signature}",
        "the public key as a shared secret": f"{hs256}.{mac}",
        "another algorithm's name": f"{encoded({'alg': 'RS512', 'kid': 'k1'})}.{body}.{signature}",
        "a key that it brings along": pool.token(key=(own := new_key()), key_id="own").replace(
            header, encoded({"alg": "RS256", "kid": "k1", "jwk": public_jwk(own, "k1")})
        ),
        "no key id": pool.token(key_id=None),
        "an unknown key id": pool.token(key_id="k2"),
        "a key id that is no text": f"{encoded({'alg': 'RS256', 'kid': 7})}.{body}.{signature}",
    }
    for what, token in forged.items():
        with pytest.raises(InvalidToken) as refused:
            verifier.verify(token)
        assert token not in str(refused.value), what
        assert "buyer-1" not in str(refused.value), what
    assert verifier.verify(good).cognito_sub == "buyer-1"


@pytest.mark.parametrize(
    "garbage",
    ["", "x", "a.b.c", "..", "null", "undefined", "é.é.é", "\x00", "a" * 9000, "eyJhbGciOiJSUzI1NiJ9", "[]. . "],
)
def test_garbage(verifier: TokenVerifier, garbage: str) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(garbage)


def test_keys_are_kept(pool: Pool, verifier: TokenVerifier) -> None:
    for _ in range(5):
        verifier.verify(pool.token())
    assert pool.fetches == 1


def test_a_new_key_is_looked_for_but_not_for_every_made_up_name(
    pool: Pool, verifier: TokenVerifier, monotonic: list[float]
) -> None:
    verifier.verify(pool.token())
    pool.keys["k2"] = new_key()
    token = pool.token(key=pool.keys["k2"], key_id="k2")
    for _ in range(20):
        with pytest.raises(InvalidToken):
            verifier.verify(token)
    assert pool.fetches == 1
    monotonic[0] += 31
    assert verifier.verify(token).cognito_sub == "buyer-1"
    assert pool.fetches == 2


def test_a_key_that_was_withdrawn_is_forgotten(pool: Pool, verifier: TokenVerifier, monotonic: list[float]) -> None:
    old = pool.token()
    verifier.verify(old)
    pool.answer = json.dumps({"keys": [public_jwk(new_key(), "k2")]}).encode()
    monotonic[0] += 3601
    with pytest.raises(InvalidToken):
        verifier.verify(old)


def test_a_pool_that_is_away_makes_no_token_bad(pool: Pool, verifier: TokenVerifier, monotonic: list[float]) -> None:
    pool.failing = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            verifier.verify(pool.token())
    assert pool.fetches == 1
    pool.failing = False
    monotonic[0] += 31
    assert verifier.verify(pool.token()).cognito_sub == "buyer-1"
    pool.failing = True
    monotonic[0] += 3601
    assert verifier.verify(pool.token()).cognito_sub == "buyer-1"  # the known keys stay good
    with pytest.raises(KeysUnavailable):
        verifier.verify(pool.token(key_id="k2"))


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{}", b'{"keys": 7}', b'{"keys": [{"kty": "RSA", "kid": "k1"}]}', b" " * 70000],
    ids=lambda answer: answer[:20],
)
def test_a_pool_that_answers_nonsense(pool: Pool, verifier: TokenVerifier, answer: bytes) -> None:
    pool.answer = answer
    with pytest.raises(KeysUnavailable):
        verifier.verify(pool.token())


def test_keys_that_are_not_ours_to_use_are_passed_over(pool: Pool, verifier: TokenVerifier) -> None:
    keys = cast("list[Any]", json.loads(pool.jwks)["keys"])
    pool.answer = json.dumps(
        {"keys": ["x", {"kty": "EC", "kid": "k1"}, {"kty": "oct", "k": "AA", "kid": "k1"}, *keys]}
    ).encode()
    assert verifier.verify(pool.token()).cognito_sub == "buyer-1"


def test_nobody_listens() -> None:
    keys = PublicKeys("http://127.0.0.1:1/jwks.json")
    with pytest.raises(KeysUnavailable):
        keys.get("k1")


def test_keys_come_over_http_only() -> None:
    with pytest.raises(ConfigurationError):
        PublicKeys("file:///etc/passwd")
