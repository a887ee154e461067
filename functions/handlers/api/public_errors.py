"""What a caller of the HTTP API is told when something is refused: status, code, a sentence, details.

The sentence is shown to the buyer by the frontend as it is; the code is for programs (docs/openapi.yaml lists
them). Neither ever carries what the caller sent.
"""

from __future__ import annotations

from typing import Final

from ticketing.buyers.tokens import InvalidToken
from ticketing.checkout import errors
from ticketing.errors import RetryableError, StripeUnavailable, TicketingError

# When to look again where all seats that are left are held by others. They come free one by one, as their buyers leave
# or their time ends: nobody knows when, and asking the holds would cost more the more there are.
_HELD_SECONDS: Final = 60

_CODE_SENTENCES: Final[dict[errors.CodeRefusal, str]] = {
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


def public_error(error: TicketingError) -> PublicError:
    """Say in HTTP's words what went wrong. Of a fault of ours a caller is told no more than that."""
    match error:
        case PublicError():
            return error
        case errors.CheckoutRefused():
            return _refusal(error)
        case InvalidToken():
            return invalid_token()
        case StripeUnavailable():
            return payment_provider_error()
        case RetryableError():
            return try_again()
        case _:
            # Not "try again": Stripe's refusal, a wrong setting and a row that is missing stay so.
            return PublicError(
                500,
                "internal_error",
                "Something went wrong on our side. Nothing was charged. Please tell the organiser.",
            )


def _refusal(error: errors.CheckoutRefused) -> PublicError:  # noqa: PLR0911 -- a table: one line an error
    match error:
        case errors.InvalidForm():
            return invalid_request(str(error))
        case errors.TicketNotFound():
            return not_found("This ticket")
        case errors.NotOnSale():
            return PublicError(409, "not_on_sale", "This ticket is not on sale.")
        case errors.NotEnoughSeats():
            return _not_enough(error)
        case errors.TooManyHeld():
            return PublicError(
                409,
                "too_many_held",
                "Too many tickets wait to be paid from here. Please pay for those first, or try again in a minute.",
                retry_after=_HELD_SECONDS,
                retry_after_seconds=_HELD_SECONDS,
            )
        case errors.CodeRefused():
            return PublicError(409, error.reason, _CODE_SENTENCES[error.reason])
        case errors.KeyConflict():
            return PublicError(409, "idempotency_conflict", "This Idempotency-Key was used with a different request.")
        case errors.AmountTooSmall():
            bound = f": at least {error.minimum} can be paid" if error.minimum else " to be paid"
            return PublicError(422, "amount_too_small", f"The total is too small{bound}.")
        case errors.AmountTooLarge():
            bound = f": at most {error.maximum} can be paid at once" if error.maximum else " to be paid at once"
            return PublicError(422, "amount_too_large", f"The total is too large{bound}.")
        case _:  # CheckoutBusy
            return try_again()


def _not_enough(error: errors.NotEnoughSeats) -> PublicError:
    if error.available == 0 and error.unsold > 0:
        return PublicError(
            409,
            "held",
            "The last tickets are being bought right now. Please try again in a minute.",
            retry_after=_HELD_SECONDS,
            available=0,
            retry_after_seconds=_HELD_SECONDS,
        )
    if error.available == 0:
        return PublicError(409, "sold_out", "This ticket is sold out.", available=0)
    return PublicError(409, "not_enough_left", f"Only {error.available} left.", available=error.available)


def invalid_request(sentence: str) -> PublicError:
    """The request is malformed; the sentence says what is wrong."""
    return PublicError(400, "invalid_request", sentence)


def not_json() -> PublicError:
    """The request's body is not said to be JSON."""
    return PublicError(415, "unsupported_media_type", "The request must be JSON (Content-Type: application/json).")


def invalid_token() -> PublicError:
    """There is a token, but it is not a good one. Which check failed is for the log only."""
    return PublicError(401, "invalid_token", "Your session is not valid any more. Please log in again.")


def login_required() -> PublicError:
    """The route needs a token and got none."""
    return PublicError(401, "invalid_token", "Please log in first.")


def not_found(what: str) -> PublicError:
    """There is no such thing, or it belongs elsewhere."""
    return PublicError(404, "not_found", f"{what} was not found.")


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
