"""Where the shop is that the operator looks at: a CloudFormation stack on AWS, or the local stack.

Both are reached the same way, by AWS's own interfaces: the local stack is a CloudFormation stack as well, at the
address that its `.local/stack.json` names. What is in the database is asked through our Lambda functions, since an
operator's machine does not reach a database in its VPC.
"""

from __future__ import annotations

import functools
import json
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cachao.aws import rate_limit
from cachao.problems import CANNOT_REACH, USAGE, FunctionFailed, Problem, error_code

if TYPE_CHECKING:
    from botocore.config import _RetryDict
    from botocore.model import OperationModel

_LOCAL_FILE: Final = Path(".local") / "stack.json"
# Lambda's own longest time, in seconds: the reconciliation runs for minutes.
_LONGEST_INVOCATION: Final = 900
_ONCE: Final[_RetryDict] = {"total_max_attempts": 1}
_PATIENTLY: Final[_RetryDict] = {"mode": "standard", "total_max_attempts": 6}
# What Lambda says of a function that was not used for weeks. Waking takes a minute or two.
_WAKING: Final = frozenset(
    {
        "CodeArtifactUserPendingException",
        "ENINotReadyException",
        "ResourceConflictException",
        "ResourceNotReadyException",
    }
)
_WAKING_SECONDS: Final = 180.0
_WAKING_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Choice:
    """What the operator said about where: `local` for the local stack, else a stack's name; None: find out."""

    local: bool = False
    stack: str | None = None
    region: str | None = None
    profile: str | None = None


class Environment:
    """A deployed stack: its parts by the names that template.yaml gives them."""

    def __init__(self, session: boto3.Session, *, stack: str | None, local: dict[str, Any] | None = None) -> None:
        """Take the session, the stack's name, and what `stack.json` says where it is the local stack."""
        self._session = session
        self._stack_name = stack
        self._local = local
        self._clients: dict[str, Any] = {}
        self._resources: dict[str, str] = {}
        # Told before each request, with the name of AWS's operation.
        self.on_request: Callable[[str], object] = lambda _: None

    @property
    def is_local(self) -> bool:
        """Whether this is the local stack."""
        return self._local is not None

    @property
    def name(self) -> str:
        """What to call it: the stack's name, and where it is."""
        return f"{self.stack['StackName']} ({self._local['aws_endpoint_url'] if self._local else self.region})"

    @property
    def region(self) -> str:
        """The AWS region."""
        return str(self._session.region_name)

    @property
    def aws_options(self) -> str:
        """What makes a command of AWS's own (`aws …`) mean this place: region and profile, or the local address."""
        address = ["--endpoint-url", self._local["aws_endpoint_url"]] if self._local else self._profile
        return shlex.join(["--region", self.region, *address])

    @property
    def sam_options(self) -> str:
        """What makes `sam deploy` mean this region and profile."""
        return shlex.join(["--region", self.region, *self._profile])

    @property
    def cachao_options(self) -> str:
        """What makes another `cachao` command mean this place; `--local` for the local stack."""
        if self._local:
            return "--local"
        return shlex.join(["--stack", self.stack["StackName"], "--region", self.region, *self._profile])

    @property
    def _profile(self) -> list[str]:
        # boto3 calls it so where none was given.
        return [] if self._session.profile_name == "default" else ["--profile", self._session.profile_name]

    @functools.cached_property
    def stack(self) -> dict[str, Any]:
        """CloudFormation's description of the stack.

        Raises:
            Problem: there is no such stack.
        """
        wanted = {"StackName": self._stack_name} if self._stack_name else {}
        try:
            stacks = self.client("cloudformation").describe_stacks(**wanted)["Stacks"]
        except Exception as error:
            if error_code(error) == "ValidationError":
                raise self._no_stack() from None
            raise
        if not stacks:
            raise self._no_stack()
        return dict(stacks[0])

    @functools.cached_property
    def account_id(self) -> str:
        """The AWS account's number."""
        return str(self.stack["StackId"]).split(":")[4]

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack.get("Outputs", [])}

    @functools.cached_property
    def parameters(self) -> dict[str, str]:
        """The stack's parameters."""
        return {given["ParameterKey"]: given["ParameterValue"] for given in self.stack.get("Parameters", [])}

    def forget(self) -> None:
        """Ask anew what the stack is: it may be deployed while somebody looks on."""
        for known in ("stack", "account_id", "outputs", "parameters"):
            vars(self).pop(known, None)
        self._resources.clear()

    @property
    def state_machine_arn(self) -> str:
        """The payment workflow."""
        return self.output("StateMachineArn")

    @property
    def workflow_arn(self) -> str:
        """What executions are started by: the workflow's alias, in a stack of the time before aliases the workflow."""
        return self.outputs.get("StateMachineAliasArn") or self.state_machine_arn

    @property
    def api_url(self) -> str:
        """Where the frontend's API is."""
        return str(self._local.get("api_url", "")) if self._local else self.output("ApiUrl")

    @property
    def event_source_name(self) -> str:
        """Stripe's partner event source, which is also the name of its bus; empty without a partner event source."""
        return self.parameters.get("StripeEventSourceName", "")

    @property
    def logs_directory(self) -> Path | None:
        """Where the local stack's functions log; None on AWS."""
        return Path(self._local["logs_dir"]) if self._local and "logs_dir" in self._local else None

    @property
    def alerts_file(self) -> Path | None:
        """Where the local stack writes down each alert, a JSON object a line; None on AWS."""
        return Path(self._local["alerts_file"]) if self._local and "alerts_file" in self._local else None

    def output(self, name: str) -> str:
        """Give an output of the stack.

        Raises:
            Problem: the stack has no such output.
        """
        if name not in self.outputs:
            raise Problem(
                f"The stack {self.stack['StackName']} has no output {name}.",
                advice="Check that it is this project's stack, deployed from this version (docs/deploy.md).",
                exit_code=CANNOT_REACH,
            )
        return self.outputs[name]

    def resource(self, logical_id: str) -> str:
        """Give the physical id of a resource.

        Raises:
            Problem: the stack has no such resource.
        """
        if logical_id not in self._resources:
            self._resources[logical_id] = self._physical_id(logical_id)
        return self._resources[logical_id]

    def _physical_id(self, logical_id: str) -> str:
        # One is asked for: a list of all the stack's resources has several pages.
        try:
            found = self.client("cloudformation").describe_stack_resource(
                StackName=self.stack["StackName"], LogicalResourceId=logical_id
            )
            physical_id = str(found["StackResourceDetail"].get("PhysicalResourceId", ""))
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            physical_id = ""
        if not physical_id:
            raise Problem(
                f"The stack {self.stack['StackName']} has no {logical_id}.",
                advice="Deploy this version of template.yaml (docs/deploy.md).",
                exit_code=CANNOT_REACH,
            )
        return physical_id

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3-stubs cannot say which by a variable
        """Give a boto3 client, safe to use from several threads; the same one when asked again."""
        if service not in self._clients:
            long = service == "lambda"
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self._local["aws_endpoint_url"] if self._local else None,
                config=Config(
                    connect_timeout=5,
                    read_timeout=_LONGEST_INVOCATION if long else 60,
                    # A function that has been started must not be started again because its answer takes long; and
                    # what the local AWS does not know it will not know at the sixth time of asking.
                    retries=_ONCE if long or self.is_local else _PATIENTLY,
                    max_pool_connections=20,
                ),
            )
            self._clients[service].meta.events.register("before-parameter-build.*.*", self._told)
            if service == "stepfunctions" and not self.is_local:
                rate_limit.limit_rate(self._clients[service])
        return self._clients[service]

    def _told(self, model: OperationModel, **_: object) -> None:
        self.on_request(model.name)

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 -- each function's own result
        """Call one of our functions by its name in the template, and wait for its result.

        Raises:
            FunctionFailed: it raised an error.
        """
        answer = self._invoke(self.resource(function), json.dumps(payload, default=str).encode())
        result = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            failure = result if isinstance(result, dict) else {}
            raise FunctionFailed(
                function, str(failure.get("errorType", "Lambda.Unknown")), str(failure.get("errorMessage", result))
            )
        return result

    def _invoke(self, name: str, payload: bytes) -> Any:  # noqa: ANN401 -- boto3's dictionary
        """Call a function; one that sleeps refuses the call that wakes it, before it has begun."""
        deadline = time.monotonic() + _WAKING_SECONDS
        while True:
            try:
                return self.client("lambda").invoke(FunctionName=name, Payload=payload)
            except ClientError as error:
                if error_code(error) not in _WAKING or time.monotonic() > deadline:
                    raise
            time.sleep(_WAKING_LOOK_SECONDS)

    def _no_stack(self) -> Problem:
        return Problem(
            f"There is no stack {self._stack_name} in {self.region}."
            if self._stack_name
            else "The local cloud has no stack.",
            advice="Use another --stack or --region; aws cloudformation list-stacks lists the stacks.",
            exit_code=CANNOT_REACH,
        )


def find(choice: Choice) -> Environment:
    """Find the stack that the operator means.

    The local stack with `--local`, or where no stack is named and a `.local/stack.json` is in this folder or above.

    Raises:
        Problem: it was not said which, or the local stack does not run.
    """
    file = None if choice.stack else _find_local_file()
    if choice.local and file is None:
        raise Problem(
            f"The local stack is not running: there is no {_LOCAL_FILE} here or above.",
            advice="Start it with `make run`, in the project's folder.",
            exit_code=CANNOT_REACH,
        )
    if file is not None:
        return local_environment(json.loads(file.read_text(encoding="utf-8")))
    if choice.stack is None:
        raise Problem(
            "Which stack?",
            advice="Give --stack NAME (or set CACHAO_STACK) for AWS, or start the local one with `make run`.",
            exit_code=USAGE,
        )
    return Environment(boto3.Session(region_name=choice.region, profile_name=choice.profile), stack=choice.stack)


def local_environment(description: Mapping[str, Any]) -> Environment:
    """Give the local stack that `stack.json` describes so."""
    return Environment(_local_session(description["region"]), stack=None, local=dict(description))


def _local_session(region: str) -> boto3.Session:
    # moto takes any credentials; the operator's own must never be sent to something that is not AWS.
    return boto3.Session(region_name=region, aws_access_key_id="testing", aws_secret_access_key="testing")  # noqa: S106


def _find_local_file() -> Path | None:
    here = Path.cwd()
    return next((file for folder in (here, *here.parents) if (file := folder / _LOCAL_FILE).is_file()), None)
