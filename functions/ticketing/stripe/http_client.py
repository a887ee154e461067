"""The stripe package's way to the network: urllib3 itself, and no more.

The package's own client goes by `requests`, which for each request reads all environment variables for a proxy and a
.netrc (whose password would take the place of the API key), and takes as long as urllib3 beneath it. This one looks for
a proxy once, and keeps its connections for all threads. It says what failed by the kind of the error: nothing that was
sent gets into a log. https://github.com/stripe/stripe-python#configuring-an-http-client
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import stripe
import urllib3
from urllib3.util import Timeout, make_headers

# So many may ask at once on kept connections; the refund of an event is the largest.
_MOST_CONNECTIONS: Final = 16
_HEADERS: Final = make_headers(accept_encoding="gzip")


class PooledHttpClient(stripe.HTTPClient):
    """Sends the stripe package's requests to one API. Thread-safe."""

    name = "urllib3"

    def __init__(self, api_base: str, *, connect_seconds: float, read_seconds: float) -> None:
        """Take the API's address, and how long to wait for a connection and for each part of an answer."""
        super().__init__()
        self._connections = _pool(api_base, Timeout(connect=connect_seconds, read=read_seconds))

    # The package says `str`; its own client gives bytes, too, and bytes that are no text must be an error of its kind.
    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send a request; gives body, status and headers.

        Raises:
            stripe.APIConnectionError: there is no answer; it says whether asking again makes sense.
        """
        try:
            answer = self._connections.request(
                method.upper(), url, body=post_data, headers={**_HEADERS, **(headers or {})}
            )
        except urllib3.exceptions.SSLError as error:
            _fail(error, "Stripe's certificate could not be verified", may_ask_again=False)
        except urllib3.exceptions.HTTPError as error:
            _fail(error, "Stripe did not answer", may_ask_again=True)
        return answer.data, answer.status, answer.headers

    def close(self) -> None:
        """Close the connections."""
        self._connections.clear()


def _fail(error: Exception, what: str, *, may_ask_again: bool) -> NoReturn:
    sentence = f"{what} ({type(error).__name__})."
    raise stripe.APIConnectionError(sentence, should_retry=may_ask_again) from error  # type: ignore[no-untyped-call]


def _pool(api_base: str, timeout: Timeout) -> urllib3.PoolManager:
    # Redirects, too, are answers: the key goes nowhere else.
    settings: dict[str, Any] = {
        "timeout": timeout,
        "retries": False,
        "maxsize": _MOST_CONNECTIONS,
        "ca_certs": stripe.ca_bundle_path,
    }
    api = urlsplit(api_base)
    proxy = None if proxy_bypass(api.hostname or "") else getproxies().get(api.scheme)
    if proxy is None:
        return urllib3.PoolManager(**settings)
    login = urlsplit(proxy)
    password = f"{unquote(login.username)}:{unquote(login.password or '')}" if login.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=password), **settings)
