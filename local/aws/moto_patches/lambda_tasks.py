"""Lambda tasks of moto's Step Functions engine, and its boto3 clients.

What moto 5.2.5 lacks:
- a Lambda that runs without Docker. Tasks hand their call to our workers in this process; going through boto3
  and HTTP would cost more than the function itself. What comes back is what `Invoke` would have answered;
- an error of a DynamoDB task that is none of DynamoDB's (an expression that fails, a timeout) is told as one of its;
- a failed function without `errorType` is `Lambda.Unknown` on AWS; moto calls it `Exception`;
- clients of other services (SNS) are made anew for each task, which takes tens of milliseconds.
"""

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (
    StateTaskServiceDynamoDB,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)

from local.aws.lambda_answers import InvokeResult
from local.aws.moto_patches.replacing import Replacements

_NO_ERROR_TYPE = "The cause could not be determined because Lambda did not return an error type. Returned payload: "

InvokeFunction = Callable[[str, bytes], InvokeResult]


def apply(replacements: Replacements, *, invoke: InvokeFunction, endpoint_url: str) -> None:
    """Send Lambda tasks to `invoke(name_or_arn, payload)`, other services' calls to the endpoint."""

    def invoke_lambda_function(parameters: dict[str, Any], region: str, state_credentials: object) -> dict[str, Any]:
        del region, state_credentials
        name, payload = parameters["FunctionName"], parameters.get("Payload", b"{}")
        return _as_boto3_answers(invoke(name, payload))

    @lru_cache(maxsize=64)
    def client(service: str, region: str) -> Any:  # noqa: ANN401
        return boto3.session.Session().client(  # type: ignore[call-overload] # any service
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto's convention
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=50),
        )

    def boto_client_for(region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ANN401
        del state_credentials
        return client(service, region)

    replacements.set(lambda_eval_utils, "_invoke_lambda_function", invoke_lambda_function)
    replacements.set(StateTaskServiceLambda, "_from_error", _from_error)
    replacements.set(StateTaskServiceDynamoDB, "_from_error", _from_dynamodb_error)
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser.") and "boto_client_for" in vars(module):
            replacements.set(module, "boto_client_for", boto_client_for)


_moto_from_error = StateTaskServiceLambda._from_error  # noqa: SLF001
_moto_from_dynamodb_error = StateTaskServiceDynamoDB._from_error  # noqa: SLF001


def _as_boto3_answers(result: InvokeResult) -> dict[str, Any]:
    metadata = {"RequestId": result.request_id, "HTTPStatusCode": result.status_code, "RetryAttempts": 0}
    if result.service_error is not None:
        body = json.loads(result.payload)
        message = body.get("message") or body.get("Message", "")
        error = {"Error": {"Code": result.service_error, "Message": message}, "ResponseMetadata": metadata}
        raise ClientError(error, "Invoke")  # type: ignore[arg-type]
    answer: dict[str, Any] = {
        "StatusCode": result.status_code,
        "ExecutedVersion": "$LATEST",
        "Payload": _decoded(result.payload),
        "SdkHttpMetadata": {"HttpStatusCode": result.status_code},
    }
    if result.function_error is not None:
        answer["FunctionError"] = result.function_error
    return answer


def _decoded(payload: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


def _from_error(self: Any, env: Any, ex: Exception) -> Any:  # noqa: ANN401
    if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
        payload = _decoded(ex.payload.encode())
        if not isinstance(payload, dict) or not payload.get("errorType"):
            cause = {"errorType": "Lambda.Unknown"}
            event = _moto_from_error(
                self, env, lambda_eval_utils.LambdaFunctionErrorException(ex.function_error, json.dumps(cause))
            )
            event.event_details["taskFailedEventDetails"]["cause"] = _NO_ERROR_TYPE + ex.payload
            return event
    return _moto_from_error(self, env, ex)


def _from_dynamodb_error(self: Any, env: Any, ex: Exception) -> Any:  # noqa: ANN401
    told = _moto_from_dynamodb_error if isinstance(ex, ClientError) else StateTaskService._from_error  # noqa: SLF001
    return told(self, env, ex)
