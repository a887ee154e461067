"""Identifiers of the form and length that Stripe gives in test mode."""

import hashlib
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# bytes.translate is several times faster than choosing character by character; the slight bias
# (256 is no multiple of 62) does not matter, 23 characters are far beyond any chance of a collision.
_BASE62 = bytes(ord(_ALPHABET[value % len(_ALPHABET)]) for value in range(256))


_THIN = "evt_test_65"


def _characters(count: int) -> str:
    return secrets.token_bytes(count).translate(_BASE62).decode("ascii")


def checkout_session_id() -> str:
    """Return `cs_test_a1` and 56 characters: 66 in all, which a database column must be able to hold."""
    return "cs_test_a1" + _characters(56)


def object_id(prefix: str) -> str:
    """Return an id of the usual form: `pi_3…`, `ch_3…`, `evt_1…`: the prefix and 24 characters."""
    generation = "3" if prefix in {"pi", "ch", "py", "re", "pyr", "txn"} else "1"
    return f"{prefix}_{generation}{_characters(23)}"


def request_id() -> str:
    """Return the id of one API request, as in the `Request-Id` header."""
    return "req_" + _characters(14)


def product_id() -> str:
    """Return the id of a product."""
    return "prod_" + _characters(14)


def client_secret(payment_intent_id: str) -> str:
    """Return a client secret of the PaymentIntent."""
    return f"{payment_intent_id}_secret_{_characters(25)}"


def fingerprint() -> str:
    """Return a card's or bank account's fingerprint."""
    return _characters(16)


def event_destination_id() -> str:
    """Return the id of an event destination in test mode."""
    return "ed_test_" + _characters(41)


def signing_secret() -> str:
    """Return a webhook endpoint's signing secret."""
    return "whsec_" + _characters(32)


def thin_event_id(event_id: str) -> str:
    """Return the id of a snapshot event's thin twin, as long as Stripe's are; see `snapshot_event_id`."""
    own = event_id.removeprefix("evt_")
    digest = hashlib.sha256(own.encode()).digest()
    return f"{_THIN}{own}{digest.translate(_BASE62).decode('ascii')[:24]}"


def snapshot_event_id(thin_id: str) -> str:
    """Return the id of the snapshot event that a thin event is the twin of."""
    return f"evt_{thin_id.removeprefix(_THIN)[:-24]}"
