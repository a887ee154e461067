"""The names of errors that Step Functions and Lambda themselves report, with their sources."""

from __future__ import annotations

from typing import Final

# Error names of the Amazon States Language, and those that Step Functions adds.
# https://states-language.net/spec.html#appendix-a and
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation
STATES_ERRORS: Final = frozenset(
    {
        "States.ALL",
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.Http.Socket",
        "States.IntrinsicFailure",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultPathMatchFailure",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
    }
)

# What Lambda reports when nothing is wrong with our code: worth trying again (docs/rules.md, "Failures").
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
# Sandbox.Timedout: a function that outlived its time-out, in the newer runtimes; Lambda.Unknown in the older ones
# (first page above, "Lambda.Unknown"). Runtime.ExitError, Runtime.OutOfMemory: the worker's process died
# (https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html). Every task is idempotent.
# A function that was not used for weeks sleeps, and the call that wakes it fails (…UserPending, ResourceNotReady,
# ResourceConflict); one in a VPC may wait for its network interface (ENI…, EC2…, SubnetIP…). All of these come before
# the function begins (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors).
TRANSIENT_LAMBDA_ERRORS: Final = frozenset(
    {
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.CodeArtifactUserPendingException",
        "Lambda.EC2ThrottledException",
        "Lambda.EC2UnexpectedException",
        "Lambda.ENILimitReachedException",
        "Lambda.ENINotReadyException",
        "Lambda.ResourceConflictException",
        "Lambda.ResourceNotReadyException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.SubnetIPAddressLimitReachedException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "Sandbox.Timedout",
        "States.Timeout",
    }
)

# A task of another service has no error classes of ours. TaskFailed is every error but Timeout.
TRANSIENT_SERVICE_ERRORS: Final = frozenset({"States.TaskFailed", "States.Timeout"})

# In a task of ours these would try a permanent error again.
MATCHING_ANY_ERROR: Final = frozenset({"States.ALL", "States.TaskFailed"})

AWS_ERRORS: Final = STATES_ERRORS | TRANSIENT_LAMBDA_ERRORS
