"""What can stand in an operator's way, said so that he knows what to do next; never a stack trace."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 -- botocore's own name
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from ticketing.errors import WHAT_TO_DO, ConfigurationError, StripeUnavailable, TicketingError

FINE: Final = 0
BROKEN: Final = 1
USAGE: Final = 2
# Also: AWS asks to try again later.
CANNOT_REACH: Final = 3
# What was started had not ended when the waiting was over.
STILL_RUNNING: Final = 4
# Of the doctor: nothing is known to be broken, but not everything could be looked at.
NOT_ALL_SEEN: Final = 5
# By Ctrl-C: 128 and the signal's number, as shells have it.
INTERRUPTED: Final = 130

_ACCESS_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)
_BAD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "RequestExpired",
    }
)
_TOO_FAST: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_SIGN_IN: Final = "Sign in (aws sso login, or aws configure), or choose credentials with --profile NAME."


class Problem(Exception):
    """Something that was expected to go wrong at times: a sentence, what to do next, and the exit code."""

    def __init__(self, sentence: str, *, advice: str = "", exit_code: int = BROKEN) -> None:
        """Take the sentence, what to do now, and one of this module's exit codes."""
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
        self.exit_code = exit_code


class FunctionFailed(Problem):
    """One of our Lambda functions raised an error; `error` is its class, e.g. `DatabaseUnavailable`."""

    def __init__(self, function: str, error: str, sentence: str) -> None:
        """Take the function's logical name in the template, its error's class and its sentence."""
        said, _, to_do = sentence.partition(WHAT_TO_DO)
        see = f"See docs/runbook.md#{error.lower().replace('.', '')}; cachao doctor says what else is broken."
        super().__init__(
            f"{function} failed with {error}: {said}", advice=f"What to do now: {to_do} {see}" if to_do else see
        )
        self.error = error


def error_code(error: BaseException) -> str:
    """Give AWS's code of an error, e.g. `AccessDeniedException`; empty where it has none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def explain(error: BaseException) -> Problem | None:
    """Turn an error of AWS or Stripe into a problem; None for an error that nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ClientError):
        return _of_answer(error)
    if isinstance(error, BotoCoreError | HTTPClientError):
        return _of_connection(error)
    if isinstance(error, ResponseParserError):
        return Problem("AWS gave an answer that cannot be read.", advice="Try again.", exit_code=CANNOT_REACH)
    return _of_the_shop(error) if isinstance(error, TicketingError) else None


def _of_the_shop(error: TicketingError) -> Problem:
    if isinstance(error, StripeUnavailable | ConfigurationError):
        return Problem(str(error), advice="Try again; cachao doctor also checks Stripe.", exit_code=CANNOT_REACH)
    return Problem(str(error))


def _of_answer(error: ClientError) -> Problem:
    code, operation = error_code(error), error.operation_name
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _ACCESS_DENIED:
        return Problem(
            f"Your credentials may not do this ({operation}): {message}",
            advice="Ask your administrator for that permission; cachao policy COMMAND prints all that a command needs.",
            exit_code=CANNOT_REACH,
        )
    if code in _BAD_CREDENTIALS:
        return Problem(f"AWS refuses your credentials ({code}): {message}", advice=_SIGN_IN, exit_code=CANNOT_REACH)
    if code in _TOO_FAST:
        return Problem(
            f"AWS asks to slow down ({operation}, {code}), even after several tries.",
            advice="Others in this account use up the rate limit. Try again in a minute; repeating is safe.",
            exit_code=CANNOT_REACH,
        )
    return Problem(f"AWS refused {operation} ({code}): {message}")


def _of_connection(error: BotoCoreError | HTTPClientError) -> Problem:
    if isinstance(
        error, NoCredentialsError | PartialCredentialsError | TokenRetrievalError | UnauthorizedSSOTokenError
    ):
        return Problem(f"There are no usable AWS credentials: {error}", advice=_SIGN_IN, exit_code=CANNOT_REACH)
    if isinstance(error, NoRegionError):
        return Problem(
            "No AWS region is chosen.", advice="Give --region, or set AWS_DEFAULT_REGION.", exit_code=CANNOT_REACH
        )
    if isinstance(error, ProfileNotFound):
        return Problem(
            str(error), advice="aws configure list-profiles shows the profiles there are.", exit_code=CANNOT_REACH
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return Problem(
            f"AWS cannot be reached: {error}",
            advice="Check your network. With the local stack, check that `make run` still runs.",
            exit_code=CANNOT_REACH,
        )
    return Problem(str(error))
