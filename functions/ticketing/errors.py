"""The errors of the shop, named for the state machine's Catch and Retry.

AWS Lambda reports an exception to Step Functions by its class name, so a class here is a name there
(https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html). A test holds that every
name in an `ErrorEquals` exists here and that every permanent and retryable error is spoken of there.

A message is a sentence for an operator: it names orders, sessions and amounts, never a buyer.
"""

from __future__ import annotations

from typing import Final

# The state machine splits an error's text here (statemachine/ticket_payment.asl.yaml, DescribeFailure).
WHAT_TO_DO: Final = " What to do now: "


class TicketingError(Exception):
    """Anything this shop raises on purpose."""


class RetryableError(TicketingError):
    """May pass when tried again: nothing was changed, or what was changed is known to be whole."""


class PermanentError(TicketingError):
    """Will fail again however often it is tried: a person has to look.

    Its text is all that reaches the state machine. So what is to be done now, where only the step that failed knows it,
    stands at its end, behind `WHAT_TO_DO`, and the alert shows it instead of the error's usual advice.
    """

    def __init__(self, sentence: str = "", *, what_to_do: str | None = None) -> None:
        """Take what went wrong, and what to do now where that depends on more than the kind of error."""
        super().__init__(sentence if what_to_do is None else f"{sentence}{WHAT_TO_DO}{what_to_do}")


class DatabaseUnavailable(RetryableError):
    """MariaDB is away, refused the connection, was too slow, or ended the transaction for another's sake."""


class SchemaOutdated(DatabaseUnavailable):
    """The database lacks a migration of this version: `cachao migrate` has not run since the deployment."""


class StripeUnavailable(RetryableError):
    """Stripe did not answer in time, with a 5xx, or asked to slow down; or the secret with its key is out of reach."""


class InvalidEvent(PermanentError):
    """The event is malformed, contradicts its envelope, or belongs to the other Stripe mode."""


class UnexpectedResult(PermanentError):
    """A step of the workflow, or `cachao`, gave what a function does not understand: another version, or a mistake."""


class OrderNotFound(PermanentError):
    """No order belongs to the payment. Money may have been taken."""


class OrderMismatch(PermanentError):
    """The order belongs to another Checkout Session than the one that Stripe reports."""


class AmountMismatch(PermanentError):
    """Stripe took another amount or currency than the order says."""


class DuplicatePayment(PermanentError):
    """The order is paid already, by another payment."""


class PaidButSoldOut(PermanentError):
    """The buyer paid after the hold had ended, and the seats are gone."""


class PaymentForClosedOrder(PermanentError):
    """A payment arrived for an order that was refunded or cancelled."""


class RefundFailed(PermanentError):
    """Stripe could not carry out a refund: the money is still with the shop."""


class DataInconsistent(PermanentError):
    """A row that must be there is missing, or a count would leave its bounds. Nothing was changed."""


class ConfigurationError(PermanentError):
    """A setting is missing or malformed: the deployment has to be mended."""
