"""AWS on one machine: moto, with our Lambda workers, behind one loopback address."""

import functools
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import boto3
from botocore.config import Config
from moto.events.models import events_backends
from moto.moto_api._internal import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.aws import moto_patches
from local.aws.invoke_api import InvokeApi
from local.aws.lambda_worker import THIS_PYTHON, Interpreter, LambdaFunction
from local.aws.lambda_workers import LambdaService
from local.aws.moto_patches.event_bridge import EventDelivery
from local.aws.moto_patches.kept_executions import KeptExecutions
from local.aws.moto_patches.replacing import Replacements
from local.aws.schedules import ScheduleRunner
from local.aws.template import CODE_BUCKET, CODE_KEY, Template
from local.journal import Journal
from local.loopback_callers import LoopbackCallersOnly
from local.request_bodies import WholeBodies
from local.web_server import KeepAliveHandler, WebServer

DEFAULT_PORT = 4566
REGION = "eu-west-1"
ACCOUNT_ID = "123456789012"  # moto's; it cannot be chosen without real-looking credentials
STACK_NAME = "cachao-local"

# Nothing of the developer's own AWS set-up may be read, and nothing may ever reach the real AWS.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_ISOLATION = {
    **_CREDENTIALS,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": REGION,
}
_NOT_INHERITED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
_Part = TypeVar("_Part")
_ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}


class DeploymentError(RuntimeError):
    """The template could not be deployed."""


@dataclass(frozen=True)
class Deployment:
    """A deployed template.

    Attributes:
        template: what was deployed.
        outputs: the stack's outputs.
        physical_ids: of all resources, by logical id.
        functions: the Lambda functions, by logical id.
    """

    template: Template
    outputs: Mapping[str, str]
    physical_ids: Mapping[str, str]
    functions: Mapping[str, LambdaFunction] = field(default_factory=dict)


class LocalCloud:
    """moto's server with executions that run and Lambdas that exist. One at a time in a process.

    Args:
        directory: for logs (`logs/<function>.log`).
        port: preferred; another free one is taken where it is in use.
        retry_wait_factor: multiplies every wait between retries, of Step Functions tasks and of EventBridge
            deliveries. 1.0 is as on AWS; tests take less. The one place where waits are shortened.
        max_workers: processes per function.
        python: what the functions run on.
        run_schedules: whether schedule rules fire.
        executions: where executions are kept, and found again; None: they are forgotten.
    """

    _running_one: "LocalCloud | None" = None
    _guard = threading.Lock()

    def __init__(
        self,
        directory: Path,
        *,
        port: int = DEFAULT_PORT,
        retry_wait_factor: float = 1.0,
        max_workers: int = 8,
        python: Interpreter = THIS_PYTHON,
        run_schedules: bool = True,
        executions: Journal | None = None,
    ) -> None:
        """Note the settings; nothing is started yet."""
        self.region = REGION
        self.account_id = ACCOUNT_ID
        self._directory = directory
        self._port = port
        self._retry_wait_factor = retry_wait_factor
        self._max_workers = max_workers
        self._python = python
        self._run_schedules = run_schedules
        self._executions = executions
        self._replacements = Replacements()
        self._environment_before: dict[str, str | None] = {}
        self._clients: dict[str, Any] = {}
        self._deployment: Deployment | None = None
        self._server: WebServer | None = None
        self._lambdas: LambdaService | None = None
        self._deliveries: EventDelivery | None = None
        self._schedules: ScheduleRunner | None = None
        self._kept: KeptExecutions | None = None

    @property
    def lambdas(self) -> LambdaService:
        """The Lambda workers; `lambdas.interceptors` wraps every invocation."""
        return _started(self._lambdas)

    @property
    def deliveries(self) -> EventDelivery:
        """EventBridge's deliveries; `deliveries.interceptors` can make them fail."""
        return _started(self._deliveries)

    @property
    def endpoint_url(self) -> str:
        """What AWS_ENDPOINT_URL must be to reach this cloud."""
        return _started(self._server).url

    @property
    def deployment(self) -> Deployment:
        """What was deployed."""
        return _started(self._deployment)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the empty cloud.

        Raises:
            RuntimeError: another one runs in this process (moto keeps its state in module variables).
        """
        with LocalCloud._guard:
            if LocalCloud._running_one is not None:
                raise RuntimeError("another LocalCloud runs in this process")
            LocalCloud._running_one = self
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything that was started; harmless when nothing was."""
        if self._kept is not None:
            self._kept.close()  # first: what is stopped below lets executions fail
        if self._schedules is not None:
            self._schedules.stop()
        if self._deliveries is not None:
            self._deliveries.close()
        if self._server is not None:
            self._server.stop()
        if self._lambdas is not None:
            self._lambdas.close()
        self._schedules = self._deliveries = self._server = self._lambdas = self._deployment = self._kept = None
        self._clients.clear()
        self._replacements.undo()
        self._restore_environment()
        with LocalCloud._guard:
            if LocalCloud._running_one is self:
                LocalCloud._running_one = None

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3-stubs cannot say which by a variable
        """A boto3 client of this cloud, e.g. `client("stepfunctions")`. Made once per service."""
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.endpoint_url,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=900, max_pool_connections=50),
            )
        return self._clients[service]

    @functools.cached_property
    def _session(self) -> boto3.Session:
        # One: each reads the list of all AWS endpoints anew.
        return boto3.Session(
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=self.region,
        )

    def create_secret(self, name: str, value: Mapping[str, object]) -> str:
        """Put a JSON secret into Secrets Manager and return its ARN."""
        arn: str = self.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
        return arn

    def make_partner_source(self, name: str) -> None:
        """Make a partner event source, as Stripe does; a bus of its name makes it active."""
        moto_patches.event_bridge.make_source(name, account_id=self.account_id, region=self.region)

    def keep_messages(self, topic_arn: str, keep: Callable[[Mapping[str, Any]], None]) -> None:
        """Hand each message that is published to a topic to `keep`: `at`, `subject`, `message`, `attributes`."""
        moto_patches.topics.keep_messages(self._replacements, topic_arn, keep)

    def deploy(self, template: Template) -> Deployment:
        """Deploy a template as a CloudFormation stack.

        Raises:
            DeploymentError: CloudFormation did not complete.
        """
        self._upload_placeholder()
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateBody=json.dumps(template.body),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in template.parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        stack = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise DeploymentError(f"the stack is {stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        physical_ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
        functions = self._read_functions(template, physical_ids)
        self.lambdas.deploy(functions.values())
        if self._kept is not None:
            self._kept.restore({machine.arn: machine for machine in self._step_functions().state_machines})
        self._deployment = Deployment(
            template=template,
            outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
            physical_ids=physical_ids,
            functions=functions,
        )
        for logical_id in sorted(template.published & functions.keys()):
            self.client("lambda").publish_version(FunctionName=functions[logical_id].name)
            self.lambdas.publish(functions[logical_id])
        if "StateMachineAliasArn" in self._deployment.outputs:
            self.point_alias(self.publish())
        return self._deployment

    def publish(self, definition: str | None = None) -> str:
        """Publish a version of the state machine, with this definition or as it is; give the version's ARN."""
        client, machine = self.client("stepfunctions"), self.deployment.outputs["StateMachineArn"]
        text = definition or client.describe_state_machine(stateMachineArn=machine)["definition"]
        answer = client.update_state_machine(stateMachineArn=machine, definition=text, publish=True)
        return str(answer["stateMachineVersionArn"])

    def point_alias(self, version: str, *, canary: str | None = None, percent: int = 10) -> None:
        """Let the alias start this version, and another one now and then (`canary`)."""
        client, alias = self.client("stepfunctions"), self.deployment.outputs["StateMachineAliasArn"]
        routes = [{"stateMachineVersionArn": version, "weight": 100 - (percent if canary else 0)}]
        if canary:
            routes.append({"stateMachineVersionArn": canary, "weight": percent})
        try:
            client.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routes)
        except client.exceptions.ResourceNotFound:
            client.create_state_machine_alias(name=alias.rpartition(":")[2], routingConfiguration=routes)

    def fire_schedule(self, logical_id_or_name: str) -> None:
        """Fire a schedule rule now, whatever its time."""
        name = self.deployment.physical_ids.get(logical_id_or_name, logical_id_or_name)
        _started(self._schedules).fire(name)

    def wait_for_execution(self, arn: str, *, timeout_seconds: float = 60.0) -> dict[str, Any]:
        """Wait until an execution has ended and return `DescribeExecution`'s answer.

        Raises:
            TimeoutError: it still runs.
        """
        deadline, pause = time.monotonic() + timeout_seconds, 0.005
        while True:
            # Moto is asked, not its API: that takes as long as a short execution.
            status = self._step_functions().describe_execution(arn).status
            if status in _ENDED:
                execution: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
                return execution
            if time.monotonic() > deadline:
                raise TimeoutError(f"{arn} is {status} after {timeout_seconds:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)

    def executions(self, status: str | None = None, *, state_machine_arn: str | None = None) -> list[dict[str, Any]]:
        """All executions (`ListExecutions`, every page), newest first."""
        arn = state_machine_arn or self.deployment.outputs["StateMachineArn"]
        wanted = {"stateMachineArn": arn} | ({"statusFilter": status} if status else {})
        pages = self.client("stepfunctions").get_paginator("list_executions").paginate(**wanted)
        return [execution for page in pages for execution in page["executions"]]

    def wait_until_idle(self, *, timeout_seconds: float = 600.0, state_machine_arn: str | None = None) -> None:
        """Wait until no execution runs.

        Raises:
            TimeoutError: some still run.
        """
        deadline = time.monotonic() + timeout_seconds
        machine = self._step_functions().describe_state_machine(
            state_machine_arn or self.deployment.outputs["StateMachineArn"]
        )
        while running := sum(execution.status not in _ENDED for execution in list(machine.executions)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{running} executions still run after {timeout_seconds:.0f} s")
            time.sleep(0.02)

    def history(self, execution_arn: str) -> Sequence[dict[str, Any]]:
        """Events of an execution, in order (`GetExecutionHistory`)."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        return [event for page in pages for event in page["events"]]

    def _step_functions(self) -> Any:  # noqa: ANN401 - moto is untyped
        return stepfunctions_parser_backends[self.account_id][self.region]

    def _start(self) -> None:
        self._isolate_environment()
        moto_api_backend.reset()  # another cloud may have run in this process
        # The workers must know the address before it can answer.
        self._server = WebServer(port=self._port, handler=_Handler)
        self._lambdas = LambdaService(
            logs_directory=self._directory / "logs",
            region=self.region,
            account_id=self.account_id,
            environment={**_CREDENTIALS, "AWS_ENDPOINT_URL": self._server.url},
            max_workers=self._max_workers,
            python=self._python,
            retry_wait_factor=self._retry_wait_factor,
        )
        self._deliveries = EventDelivery(
            invoke_function=self._lambdas.invoke_later, retry_wait_factor=self._retry_wait_factor
        )
        moto_patches.speed.apply(self._replacements)
        moto_patches.jsonata.apply(self._replacements)
        moto_patches.execution.apply(
            self._replacements, retry_wait_factor=self._retry_wait_factor, tasks_at_once=self._max_workers
        )
        moto_patches.versions.apply(self._replacements)
        moto_patches.lambda_tasks.apply(self._replacements, invoke=self._lambdas.invoke, endpoint_url=self._server.url)
        moto_patches.event_bridge.apply(self._replacements, self._deliveries)
        moto_patches.user_pools.apply(self._replacements)
        moto_patches.stack_resources.apply(self._replacements)
        moto_patches.tables.apply(self._replacements)
        moto_patches.resource_names.apply(self._replacements)
        if self._executions is not None:
            self._kept = KeptExecutions(self._executions)
            self._kept.apply(self._replacements)
        self._schedules = ScheduleRunner(events_backends[self.account_id][self.region], self._deliveries)
        moto = DomainDispatcherApplication(create_backend_app)
        self._server.start(WholeBodies(LoopbackCallersOnly(InvokeApi(self._lambdas, moto))))
        if self._run_schedules:
            self._schedules.start()

    def _upload_placeholder(self) -> None:
        """Moto wants a zip file behind each function's code address."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("README", "The code runs from the working copy; see local/aws/lambda_worker.py.\n")
        s3 = self.client("s3")
        s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration={"LocationConstraint": self.region})
        s3.put_object(Bucket=CODE_BUCKET, Key=CODE_KEY, Body=archive.getvalue())

    def _read_functions(self, template: Template, physical_ids: Mapping[str, str]) -> dict[str, LambdaFunction]:
        functions = {}
        for logical_id, code in template.code_directories.items():
            if logical_id not in physical_ids:
                continue  # its condition does not hold
            settings = self.client("lambda").get_function_configuration(FunctionName=physical_ids[logical_id])
            functions[logical_id] = LambdaFunction(
                name=settings["FunctionName"],
                logical_id=logical_id,
                handler=settings["Handler"],
                code_directory=code,
                # CloudFormation makes text of numbers; moto leaves them numbers.
                environment={k: str(v) for k, v in settings.get("Environment", {}).get("Variables", {}).items()},
                timeout_seconds=float(settings["Timeout"]),
                memory_mb=int(settings["MemorySize"]),
                asynchronous_retries=template.asynchronous_retries.get(logical_id, 2),
            )
        return functions

    def _isolate_environment(self) -> None:
        self._environment_before = {name: os.environ.get(name) for name in [*_ISOLATION, *_NOT_INHERITED]}
        for name in _NOT_INHERITED:
            os.environ.pop(name, None)
        os.environ.update(_ISOLATION)

    def _restore_environment(self) -> None:
        for name, value in self._environment_before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environment_before = {}


class _Handler(KeepAliveHandler, MotoRequestHandler):  # type: ignore[misc] # moto is untyped
    """moto's handling of header names, on kept connections."""


def _started(part: _Part | None) -> _Part:
    if part is None:
        raise RuntimeError("the local cloud is not started")
    return part
