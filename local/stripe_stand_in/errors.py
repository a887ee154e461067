"""Stripe's errors: status, type, code, message and parameter, as its API sends them.

Source of types and codes: docs.stripe.com/api/errors and docs.stripe.com/error-codes.
"""

from http import HTTPStatus

from local.stripe_stand_in.json_object import JsonObject


class ApiError(Exception):
    """An answer of the API that is an error.

    Args:
        message: The sentence for the developer who made the request.
        status: The HTTP status.
        error_type: Stripe's `type`, as `invalid_request_error`.
        code: Stripe's `code`, or None where Stripe gives none.
        param: The parameter that is at fault, in bracket form, as `line_items[0][quantity]`.
        saved: Whether an idempotency key remembers this answer. Stripe remembers what happened once
            the endpoint began its work, and forgets what was refused before that.
        headers: HTTP headers to add to the answer.
        details: More fields of the error object.
    """

    def __init__(  # noqa: PLR0913 - Stripe's fields, all by name
        self,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        error_type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        headers: dict[str, str] | None = None,
        details: JsonObject | None = None,
    ) -> None:
        """Take the fields; see the class."""
        super().__init__(message)
        self.message = message
        self.status = int(status)
        self.error_type = error_type
        self.code = code
        self.param = param
        self.saved = saved
        self.headers = headers or {}
        self.details = details or {}

    def body(self, request_id: str) -> JsonObject:
        """Return the JSON body of the answer."""
        error: JsonObject = {"message": self.message, "type": self.error_type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error | self.details}


def invalid_parameter(message: str, param: str | None, code: str | None = None) -> ApiError:
    """Return the 400 for a request that was refused before any work began."""
    return ApiError(message, code=code, param=param, saved=False)


def refused(message: str, code: str | None = None, param: str | None = None) -> ApiError:
    """Return the 400 for something that the objects' state does not allow."""
    return ApiError(message, code=code, param=param)


def resource_missing(kind: str, object_id: str, param: str = "id") -> ApiError:
    """Return the 404 for an object that does not exist (of this account, in this mode)."""
    return ApiError(
        f"No such {kind}: '{object_id}'",
        status=HTTPStatus.NOT_FOUND,
        code="resource_missing",
        param=param,
    )


def not_imitated(what: str, param: str | None = None) -> ApiError:
    """Return the 400 for something that Stripe can do and this stand-in cannot.

    Silence would let a test pass that means nothing.
    """
    return ApiError(
        f"The local stand-in does not imitate {what}. Use a Stripe test key to try it.",
        code="not_imitated_by_the_stand_in",
        param=param,
        saved=False,
    )


def server_error(status: int = HTTPStatus.INTERNAL_SERVER_ERROR, *, saved: bool) -> ApiError:
    """Return an error on Stripe's side.

    A saved one tells the client not to try again: the idempotency key would only replay it.
    """
    return ApiError(
        "An unknown error occurred",
        status=status,
        error_type="api_error",
        saved=saved,
        headers={"Stripe-Should-Retry": "false"} if saved else {},
    )
