"""Lambda's `Invoke` over HTTP, in front of moto, which has no Lambda that runs without Docker."""

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from werkzeug.wrappers import Request

from local.aws.lambda_answers import InvokeResult, service_error
from local.aws.lambda_pool import PoolClosedError
from local.aws.lambda_workers import LambdaService, UnknownFunctionError
from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_INVOCATIONS = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")


class InvokeApi:
    """WSGI application: answers `Invoke` from the workers, passes everything else on."""

    def __init__(self, lambdas: LambdaService, everything_else: "WSGIApplication") -> None:
        """Stand in front of another application."""
        self._lambdas = lambdas
        self._everything_else = everything_else

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle one request."""
        path = _INVOCATIONS.fullmatch(environ["PATH_INFO"])
        if path is None or environ["REQUEST_METHOD"] != "POST":
            return self._everything_else(environ, start_response)
        result = self._invoke(unquote(path[1]), Request(environ))
        headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", result.request_id)]
        if result.function_error is not None:
            headers.append(("X-Amz-Function-Error", result.function_error))
        if result.service_error is not None:
            headers.append(("x-amzn-ErrorType", result.service_error))
        else:
            headers.append(("X-Amz-Executed-Version", "$LATEST"))
        status = HTTPStatus(result.status_code)
        return respond(start_response, f"{status.value} {status.phrase}", headers, result.payload)

    def _invoke(self, name: str, request: Request) -> InvokeResult:
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        payload = request.get_data()
        try:
            if kind == "DryRun":
                self._lambdas.function(name)
                return InvokeResult(b"", status_code=HTTPStatus.NO_CONTENT)
            if kind == "Event":
                self._lambdas.invoke_later(name, payload)
                return InvokeResult(b"", status_code=HTTPStatus.ACCEPTED)
            return self._lambdas.invoke(name, payload)
        except (UnknownFunctionError, PoolClosedError) as error:
            body = {"Type": "User", "Message": str(error)}
            return InvokeResult(
                json.dumps(body).encode(), status_code=HTTPStatus.NOT_FOUND, service_error="ResourceNotFoundException"
            )
        except OSError as error:  # no process could be started
            return service_error("ServiceException", str(error), HTTPStatus.INTERNAL_SERVER_ERROR)
