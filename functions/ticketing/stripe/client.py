"""Reaches Stripe: the client with this shop's time-outs, and what its errors mean here.

`stripe` takes longer to import than everything else of a function together, so it is imported when a client is
made, not before: most functions mostly do without it. The checkout's loads it with its module. See
https://docs.stripe.com/error-handling?lang=python and
https://docs.stripe.com/api/idempotent_requests.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ticketing.errors import ConfigurationError, PermanentError, StripeUnavailable

if TYPE_CHECKING:
    import stripe

# Seconds. Creating a Checkout Session takes Stripe about half a second, at times a few. With one repetition the
# worst case is 2 * (3 + 8) seconds and a pause: below API Gateway's 30 seconds.
CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
NETWORK_RETRIES = 1
# For ending a session while a buyer waits: asked twice at worst, and never repeated. Together with a session opened
# after it this stays below API Gateway's 30 seconds.
ENDING_CONNECT_SECONDS = 2.0
ENDING_READ_SECONDS = 4.0
ENDING_SECONDS = 2 * (ENDING_CONNECT_SECONDS + ENDING_READ_SECONDS)
_PAUSE_SECONDS = 0.5

_NOT_FOUND = 404
_TOO_MANY_REQUESTS = 429
# An earlier request with the same idempotency key is still running.
_CONFLICT = 409
_SERVER_ERROR = 500

# Stripe quotes what it was given; an address must not reach a log. The package logs those words, too, at INFO, which
# is what Lambda's runtime writes for every package (AWS_LAMBDA_LOG_LEVEL).
_EMAIL_ADDRESS = re.compile(r"\S+@\S+")
logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeRefused(PermanentError):
    """Stripe understood the request and said no; the same request will be refused again.

    Not one of the state machine's errors: a caller says what the refusal means (e.g. `RefundFailed`).
    `code`, `parameter` and `http_status` are Stripe's (https://docs.stripe.com/error-codes).
    """

    def __init__(
        self, sentence: str, *, code: str | None = None, parameter: str | None = None, http_status: int | None = None
    ) -> None:
        """Take a sentence for an operator, Stripe's error code, the parameter it names, and the HTTP status."""
        super().__init__(sentence)
        self.code = code
        self.parameter = parameter
        self.http_status = http_status

    @property
    def is_missing(self) -> bool:
        """Whether this account and mode have no such object."""
        return self.code == "resource_missing" or self.http_status == _NOT_FOUND


def longest_seconds(network_retries: int) -> float:
    """Give how long a request takes at worst, in seconds, when it is repeated so often."""
    return (1 + network_retries) * (CONNECT_SECONDS + READ_SECONDS) + network_retries * _PAUSE_SECONDS


@functools.lru_cache(maxsize=4)
def client(
    api_key: str,
    *,
    api_base: str,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
    network_retries: int = NETWORK_RETRIES,
) -> stripe.StripeClient:
    """Give the client for a key and an API address; the same one, with its open connections, when asked again.

    The package repeats a request itself `network_retries` times, with the same idempotency key, after a lost
    connection, a time-out, a 409 or a 5xx.
    """
    import stripe  # noqa: PLC0415 -- see the module's docstring

    from ticketing.stripe.http_client import PooledHttpClient  # noqa: PLC0415 -- it imports stripe

    # It would look at the machine for each request, and tell Stripe of it.
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/"), "files": _files_base(api_base)},
        max_network_retries=network_retries,
        http_client=PooledHttpClient(api_base, connect_seconds=connect_seconds, read_seconds=read_seconds),
    )


def _files_base(api_base: str) -> str:
    """Give where files are sent: Stripe has a host of its own for them, a stand-in has one address."""
    return api_base.rstrip("/").replace("://api.stripe.com", "://files.stripe.com")


@contextlib.contextmanager
def stripe_errors(doing: str) -> Iterator[None]:
    """Turn the stripe package's errors into the shop's. `doing` completes "Stripe refused to …".

    Raises:
        StripeUnavailable: no answer in time, a 5xx, a 429, or the same request is still running (409). The request
            may have been carried out: repeat it with the same idempotency key.
        ConfigurationError: the API key is wrong, or may not do this.
        StripeRefused: anything else that Stripe said no to.
    """
    import stripe  # noqa: PLC0415 -- see the module's docstring

    # Raised from None: the chained error would bring Stripe's own words, with what it was given, into a log.
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise StripeUnavailable(f"The request to Stripe to {doing} failed: {_describe(error)}.") from None
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # The message would quote a part of the key.
        raise ConfigurationError(
            f"Stripe does not let this API key {doing} ({_named(error)})."
            " Check the secret of STRIPE_SECRET_ARN. A changed secret takes effect within five minutes."
        ) from None
    except stripe.StripeError as error:
        status = error.http_status
        if status is None or status >= _SERVER_ERROR or status in {_CONFLICT, _TOO_MANY_REQUESTS}:
            raise StripeUnavailable(f"The request to Stripe to {doing} failed: {_describe(error)}.") from None
        raise StripeRefused(
            f"Stripe refused to {doing}: {_describe(error)}.",
            code=_code(error),
            parameter=getattr(error, "param", None),
            http_status=status,
        ) from None


def is_replayed(error: stripe.StripeError) -> bool:
    """Tell whether Stripe repeats what it answered to the same idempotency key before, as it does for a day."""
    return any(name.lower() == "idempotent-replayed" for name in error.headers or {})


def _named(error: stripe.StripeError) -> str:
    said = [type(error).__name__]
    if error.http_status is not None:
        said.append(f"HTTP {error.http_status}")
    code = _code(error)
    if code:
        said.append(f"code {code}")
    return ", ".join(said)


def _code(error: stripe.StripeError) -> str | None:
    """Give Stripe's code: for 401, 403, 409 and 429 the package has it in the error's object only."""
    return error.code or (None if error.error is None else error.error.code)


def _describe(error: stripe.StripeError) -> str:
    said = [_named(error)]
    parameter = getattr(error, "param", None)
    if parameter:
        said.append(f"parameter {parameter}")
    if error.request_id:
        said.append(f"request {error.request_id}")
    # One line, so that a log line stays one.
    message = " ".join(_EMAIL_ADDRESS.sub("[address]", error.user_message or "").split())
    return f"{', '.join(said)}: {message[:300]}" if message else ", ".join(said)
