"""What `Invoke` answers, and how failures look from outside.

The payload of a failed function has an `errorType`, which becomes the `Error` that Step Functions matches:

- the handler raised: the exception's class (awslambdaric);
- it ran longer than its timeout: `Sandbox.Timedout`, "RequestId: … Error: Task timed out after 3.00 seconds".
  Source: AWS Step Functions Developer Guide, "Handling errors in Step Functions workflows" (timeouts of newer
  runtimes), and the open-source Lambda runtime interface emulator;
- the process ended, also killed for memory: `Runtime.ExitError`, "… Runtime exited with error: signal: killed"
  (seen as `Runtime.OutOfMemory` too);
- the module cannot be imported: `Runtime.ImportModuleError` and others of awslambdaric, posted to `/init/error`;
- the answer is too large: `Function.ResponseSizeTooLarge`;
- no `errorType` in the payload: Step Functions says `Lambda.Unknown`, "The cause could not be determined because
  Lambda did not return an error type. …". Timeouts and out-of-memory were reported so until 2025, and the
  Developer Guide's "Handle Lambda service exceptions" still says they are.

So a state machine that retries what may pass must name `Lambda.Unknown`, `Sandbox.Timedout`, `Runtime.ExitError`
and `Runtime.OutOfMemory`, not `Lambda.Unknown` alone.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus

# "6 MB" as Lambda measures an answer, in its own error message.
MAX_RESPONSE_BYTES = 6_291_556
MAX_REQUEST_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True)
class InvokeResult:
    """What `Invoke` answers.

    Attributes:
        payload: the response, or the error object where `function_error` is set.
        function_error: None, or `Unhandled`: the function failed.
        status_code: 200, or an HTTP error of the Lambda service itself.
        service_error: then the name of that error, e.g. `TooManyRequestsException`.
        request_id: the invocation's.
    """

    payload: bytes
    function_error: str | None = None
    status_code: int = 200
    service_error: str | None = None
    request_id: str = ""


def service_error(name: str, message: str, status_code: int) -> InvokeResult:
    """Answer of the Lambda service itself, such as 429 `TooManyRequestsException` or 500 `ServiceException`."""
    body = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": message, "Type": "User"}
    if name != "TooManyRequestsException":
        body = {"Message": message, "Type": "Service" if status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "User"}
    return InvokeResult(json.dumps(body).encode(), status_code=status_code, service_error=name)


def throttled() -> InvokeResult:
    """Answer as when the concurrency limit is reached."""
    return service_error("TooManyRequestsException", "Rate Exceeded.", 429)


def function_error(error_type: str | None, message: str, request_id: str = "") -> InvokeResult:
    """Answer as when the function failed outside its own code; without `error_type` as older runtimes did."""
    body = {"errorMessage": message} if error_type is None else {"errorType": error_type, "errorMessage": message}
    return InvokeResult(json.dumps(body).encode(), function_error="Unhandled", request_id=request_id)


def worker_ended(request_id: str, reason: str = "signal: killed") -> InvokeResult:
    """Answer as when the process ended (crash, out of memory) before it replied."""
    message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
    return function_error("Runtime.ExitError", message, request_id)


def timed_out(request_id: str, seconds: float) -> InvokeResult:
    """Answer as when the function ran longer than its timeout."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return function_error("Sandbox.Timedout", message, request_id)
