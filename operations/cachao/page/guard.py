"""Keeps all but the page itself away from the page's data: other sites' pages, foreign names, other users.

That the server listens on loopback alone does not: any page that is open in this browser may send requests there, and
so may any user of this machine. See https://owasp.org/www-community/attacks/csrf and
https://www.w3.org/TR/fetch-metadata/.

- `Host` must be this server by its own name, or a foreign name was made to lead here (DNS rebinding).
- What a browser says of where a request comes from (`Origin`, `Sec-Fetch-Site`) must be the page itself.
- Where there are `Sessions`, each request for data carries a key, which only who was told the address can have.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import Final

from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Request

_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OWN: Final = frozenset({None, "same-origin"})


class Sessions:
    """The keys of the pages that are open. A token opens one page, once; its page gets a key that lasts with us."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._tokens: set[str] = set()
        self._keys: set[str] = set()

    def make_token(self) -> str:
        """Give a token for an address; it is good for one use."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens.add(token)
        return token

    def open(self, token: str) -> str | None:
        """Give a key for a token; None where it is none, or used."""
        with self._lock:
            found = _find(token, self._tokens)
            if found is None:
                return None
            self._tokens.remove(found)
            key = secrets.token_urlsafe(32)
            self._keys.add(key)
            return key

    def knows(self, key: str) -> bool:
        """Tell whether a page was given this key."""
        with self._lock:
            return _find(key, self._keys) is not None


def _find(wanted: str, among: set[str]) -> str | None:
    # All are compared, in the same time whatever they have in common.
    same = [one for one in among if hmac.compare_digest(one.encode(), wanted.encode(errors="replace"))]
    return same[0] if same else None


class Guard:
    """Says which requests may be answered."""

    def __init__(self, *, sessions: Sessions | None) -> None:
        """Take the pages' keys; None: whoever works on this machine may ask, as with the rest of the local stack."""
        self.sessions = sessions

    def check_host(self, request: Request) -> None:
        """Refuse a foreign name.

        Raises:
            Forbidden: the request was sent to one.
        """
        name, _, port = request.environ.get("HTTP_HOST", "").rpartition(":")
        if name not in _NAMES or port != request.environ["SERVER_PORT"]:
            raise Forbidden("This answers 127.0.0.1 and localhost only, at its own port.")

    def check_data(self, request: Request) -> None:
        """Refuse what does not come from the page itself.

        Raises:
            Forbidden: it is another site's page that asks.
            Unauthorized: it has no key, where one is needed.
        """
        origin = request.headers.get("Origin")
        if request.headers.get("Sec-Fetch-Site") not in _OWN or origin not in {None, f"http://{request.host}"}:
            raise Forbidden("This answers its own page only.")

    def check_key(self, request: Request) -> None:
        """Refuse who was not let in.

        Raises:
            Unauthorized: there is no key, or it is not one of ours.
        """
        if self.sessions is None:
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.sessions.knows(key):
            raise Unauthorized("Open the address that `cachao page` printed; press Enter there for a new one.")
