"""The server's side of Cognito's SRP: proves that a browser knows a password, which is never sent (RFC 5054).

Cognito's own choices (group, hashes, key, what is signed) are those of its clients, as AWS publishes them:
https://github.com/aws-amplify/amplify-js/tree/main/packages/amazon-cognito-identity-js/src (AuthenticationHelper.js).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

# The 3072-bit group of RFC 3526 (and RFC 5054): 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 * pi) + 1690314).
_N: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_G: Final = 2
_KEY_INFO: Final = b"Caldera Derived Key\x01"
_KEY_BYTES: Final = 16


class BadProofError(ValueError):
    """What the browser sent cannot be part of this exchange."""


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """One login under way.

    Attributes:
        pool: the user pool's id without its region, e.g. `AbCdEf123`.
        user: the user's id in the pool (`USER_ID_FOR_SRP`).
        password: the user's password.
        browser_public: what the browser sent first (`SRP_A`), as a number.
        secret_block: what the browser signs together with names and time.
    """

    pool: str
    user: str
    password: str
    browser_public: int
    secret_block: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _salt: int = field(default_factory=lambda: secrets.randbits(128))
    _secret: int = field(default_factory=lambda: secrets.randbits(1024))

    def __post_init__(self) -> None:
        """Refuse a number with which anybody would get in without a password (RFC 5054, 2.5.4)."""
        if self.browser_public % _N == 0:
            raise BadProofError("SRP_A is 0")

    @property
    def challenge(self) -> dict[str, str]:
        """What the browser is told of it, as Cognito names it."""
        return {
            "SALT": f"{self._salt:x}",
            "SRP_B": f"{self._public:x}",
            "SECRET_BLOCK": base64.b64encode(self.secret_block).decode(),
            "USER_ID_FOR_SRP": self.user,
        }

    def is_proved_by(self, signature: str, *, timestamp: str) -> bool:
        """Whether the browser signed with the key that only the password gives."""
        message = self.pool.encode() + self.user.encode() + self.secret_block + timestamp.encode()
        expected = base64.b64encode(hmac.digest(self._key, message, "sha256")).decode()
        return hmac.compare_digest(expected.encode(), signature.encode())

    @property
    def _verifier(self) -> int:
        names = hashlib.sha256(f"{self.pool}{self.user}:{self.password}".encode()).digest()
        return pow(_G, _hash(_padded(self._salt) + names), _N)

    @property
    def _public(self) -> int:
        multiplier = _hash(_padded(_N) + _padded(_G))
        return (multiplier * self._verifier + pow(_G, self._secret, _N)) % _N

    @property
    def _key(self) -> bytes:
        scramble = _hash(_padded(self.browser_public) + _padded(self._public))
        shared = pow(self.browser_public * pow(self._verifier, scramble, _N), self._secret, _N)
        extracted = hmac.digest(_padded(scramble), _padded(shared), "sha256")
        return hmac.digest(extracted, _KEY_INFO, "sha256")[:_KEY_BYTES]


def read_number(text: str) -> int:
    """Read a number that a browser sent.

    Raises:
        BadProofError: it is none.
    """
    try:
        return int(text, 16)
    except ValueError:
        raise BadProofError("not a hexadecimal number") from None


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest())


def _padded(number: int) -> bytes:
    """A number's bytes, with a zero byte before them where the first bit would read as a sign."""
    return number.to_bytes(number.bit_length() // 8 + 1)
