"""What a caller of the HTTP API is told when something is refused: status, code, a sentence, details.

The sentence is shown to the buyer by the frontend as it is; the code is for programs (docs/openapi.yaml lists
them). Neither ever carries what the caller sent.
"""

from __future__ import annotations

from typing import Literal

from ticketing.errors import TicketingError

CodeRefusal = Literal["code_unknown", "code_inactive", "code_not_yet_valid", "code_expired", "code_used_up"]

_CODE_SENTENCES: dict[CodeRefusal, str] = {
    "code_unknown": "This discount code does not exist for this event.",
    "code_inactive": "This discount code is not active.",
    "code_not_yet_valid": "This discount code is not valid yet.",
    "code_expired": "This discount code has expired.",
    "code_used_up": "This discount code has been used up.",
}


class PublicError(TicketingError):
    """A refusal that the caller is told. `details` go into the reply beside `error` and `code`."""

    def __init__(
        self, status: int, code: str, sentence: str, *, retry_after: int | None = None, **details: object
    ) -> None:
        """Take the HTTP status, the code, the sentence, and the seconds after which to try again."""
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after
        self.details = details


def invalid_request(sentence: str) -> PublicError:
    """The request is malformed; the sentence says what is wrong."""
    return PublicError(400, "invalid_request", sentence)


def invalid_token() -> PublicError:
    """There is a token, but it is not a good one. Which check failed is for the log only."""
    return PublicError(401, "invalid_token", "Your session is not valid any more. Please log in again.")


def login_required() -> PublicError:
    """The route needs a token and got none."""
    return PublicError(401, "invalid_token", "Please log in first.")


def not_found(what: str) -> PublicError:
    """There is no such thing, or it belongs elsewhere."""
    return PublicError(404, "not_found", f"{what} was not found.")


def not_enough(available: int) -> PublicError:
    """Fewer seats are free than wanted; without any left, the ticket is sold out."""
    if available <= 0:
        return PublicError(409, "sold_out", "This ticket is sold out.", available=0)
    return PublicError(409, "not_enough_left", f"Only {available} left.", available=available)


def not_on_sale() -> PublicError:
    """The ticket is not active, or its event is over."""
    return PublicError(409, "not_on_sale", "This ticket is not on sale.")


def code_refused(refusal: CodeRefusal) -> PublicError:
    """The discount code cannot be used, and why."""
    return PublicError(409, refusal, _CODE_SENTENCES[refusal])


def idempotency_conflict() -> PublicError:
    """The Idempotency-Key was used with another request."""
    return PublicError(409, "idempotency_conflict", "This Idempotency-Key was used with a different request.")


def amount_too_small(minimum: str) -> PublicError:
    """The total is above 0, but Stripe does not charge so little."""
    return PublicError(422, "amount_too_small", f"The total is too small: at least {minimum} can be paid.")


def amount_too_large(maximum: str) -> PublicError:
    """The total is more than Stripe charges at once."""
    return PublicError(422, "amount_too_large", f"The total is too large: at most {maximum} can be paid at once.")


def payment_provider_error() -> PublicError:
    """Stripe failed or took too long; nothing was charged and nothing is held."""
    return PublicError(
        502,
        "payment_provider_error",
        "The payment could not be started. Nothing was charged. Please try again.",
    )


def try_again(seconds: int = 2) -> PublicError:
    """Something is away for the moment, or the same request is still running."""
    return PublicError(503, "try_again", "This is taking longer than usual. Please try again.", retry_after=seconds)
