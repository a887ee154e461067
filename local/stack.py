"""The whole shop on one machine: database, cloud, API, Stripe's stand-in; started together, stopped together.

with LocalStack(Path(".local")) as stack:
stack.client("events").put_events(...)
stack.wait_for_execution(arn)
stack.alerts()
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from local.aws.api_page import PATH as API_PAGE
from local.aws.api_page import ApiPage
from local.aws.client_rate_limit import ClientRateLimit, read_rate_limit
from local.aws.cloud import DEFAULT_PORT as DEFAULT_AWS_PORT
from local.aws.cloud import Deployment, LocalCloud
from local.aws.http_api import HttpApi
from local.aws.template import load_template
from local.aws.user_pool import READY_USER, create_user_pool
from local.database.mariadb import DEFAULT_PORT as DEFAULT_DATABASE_PORT
from local.database.mariadb import DatabaseAddress, MariaDB
from local.database.sample_shop import events_on_sale
from local.journal import Journal
from local.operators_page import PATH as OPERATORS_PAGE
from local.operators_page import OperatorsPage
from local.processes import LOOPBACK, free_port
from local.signals import undisturbed
from local.storefront import Storefront
from local.stripe_stand_in import EventDestination, StripeStandIn
from local.web_server import WebServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_API_PORT = 8000
DEFAULT_STRIPE_PORT = 12111
DEFAULT_FRONTEND_ORIGINS = ("http://localhost:3000", "http://localhost:5173")
_DESTINATION_ID = "ed_test_CachaoLocal"
_WEBHOOK_SECRET = "whsec_local"  # noqa: S105 - of this machine only, and known to the stand-in
_PROXY_SECRET = "proxy-of-this-machine-only-for-its-api"  # noqa: S105 - the same


class AlreadyRunningError(RuntimeError):
    """Another stack runs on the same directory. The message says which."""


class MigrationError(RuntimeError):
    """The database could not be brought to this version's schema."""


@dataclass(frozen=True)
class StackOptions:
    """How a stack differs from what `make run` starts.

    Attributes:
        fresh: begin with an empty database, and forget executions, alerts and logs.
        durable: whether a COMMIT reaches the disk, and executions are kept; False is faster, for throw-away stacks.
        api_port, aws_port, database_port, stripe_port: preferred ports; another free one is taken where one is in use.
        retry_wait_factor: multiplies all waits between retries; see LocalCloud.
        max_workers: processes per function.
        max_database_connections: the limit of mariadbd.
        database_options: further arguments of mariadbd.
        run_schedules: whether schedule rules (the reconciliation) fire.
        stripe_secret_key: a test key: the real Stripe is used, and no stand-in is started.
        stripe_webhook_secret: what the real Stripe's webhooks are signed with (`stripe listen` prints it).
        frontend_origins: where other frontends may call the API from. The storefront is there anyway, and is where
            buyers return to whose browser names no such origin.
        parameters: further parameters of the template.
        rate_limit: whether deploy/rate-limit.yaml stands before the API.
    """

    fresh: bool = False
    durable: bool = True
    api_port: int = DEFAULT_API_PORT
    aws_port: int = DEFAULT_AWS_PORT
    database_port: int = DEFAULT_DATABASE_PORT
    stripe_port: int = DEFAULT_STRIPE_PORT
    retry_wait_factor: float = 1.0
    max_workers: int = 8
    max_database_connections: int = 500
    database_options: Sequence[str] = ()
    run_schedules: bool = True
    stripe_secret_key: str | None = None
    stripe_webhook_secret: str = _WEBHOOK_SECRET
    frontend_origins: Sequence[str] = DEFAULT_FRONTEND_ORIGINS
    parameters: Mapping[str, str] = field(default_factory=dict)
    rate_limit: bool = False

    @classmethod
    def throw_away(cls, **changes: Any) -> Self:  # noqa: ANN401 - the class's own fields
        """Options for tests: any free ports, no fsync, waits a hundred times shorter, no schedules."""
        settings: dict[str, Any] = {
            "fresh": True,
            "durable": False,
            "api_port": 0,
            "aws_port": 0,
            "database_port": 0,
            "stripe_port": 0,
            "retry_wait_factor": 0.01,
            "run_schedules": False,
        }
        return cls(**(settings | changes))


@dataclass(frozen=True)
class Alert:
    """A message that came over the alert topic."""

    subject: str
    message: str
    attributes: Mapping[str, str]


class LocalStack:
    """Everything, in order: MariaDB, the cloud with the template, the schema, Stripe, the API. A context manager.

    Args:
        directory: keeps the database, logs and `stack.json`; `.local` for `make run`.
        options: how it differs from `make run`.
        template_file: the SAM template.
    """

    def __init__(
        self,
        directory: Path,
        options: StackOptions | None = None,
        *,
        template_file: Path = PROJECT / "template.yaml",
    ) -> None:
        """Note the settings; nothing is started yet."""
        self.directory = directory.resolve()
        self.options = options or StackOptions()
        self._template_file = template_file
        self._parts = ExitStack()
        self._alerts: list[Alert] = []
        self._alert_journal = Journal(self.directory / "alerts.jsonl")
        self._execution_journal = Journal(self.directory / "executions.jsonl")
        self.database = MariaDB(
            self.directory / "mariadb",
            port=self.options.database_port,
            durable=self.options.durable,
            max_connections=self.options.max_database_connections,
            options=self.options.database_options,
        )
        self.cloud = LocalCloud(
            self.directory,
            port=self.options.aws_port,
            retry_wait_factor=self.options.retry_wait_factor,
            max_workers=self.options.max_workers,
            run_schedules=self.options.run_schedules,
            executions=self._execution_journal if self.options.durable else None,
        )
        self.stripe: StripeStandIn | None = None
        self.api_url = ""
        self.stripe_url = ""
        self.alert_queue_url = ""
        self._own_alert_queue_url = ""
        self.cognito: Mapping[str, str] = {}
        self.migrated: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Start everything."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.stop()

    @property
    def database_address(self) -> DatabaseAddress:
        """Where the database is."""
        return self.database.address

    @property
    def deployment(self) -> Deployment:
        """The deployed template: outputs, physical ids, functions."""
        return self.cloud.deployment

    @property
    def state_machine_arn(self) -> str:
        """The workflow's ARN."""
        return self.deployment.outputs["StateMachineArn"]

    @property
    def partner_event_bus(self) -> str:
        """Name of the bus over which Stripe's events come."""
        return self.deployment.outputs["PartnerEventBusName"]

    @property
    def dead_letter_queue_url(self) -> str:
        """Where events go that could not start the workflow."""
        return self._queue_url(self.deployment.outputs["EventDeadLetterQueueUrl"])

    @property
    def logs_directory(self) -> Path:
        """One log file per function."""
        return self.directory / "logs"

    @property
    def file(self) -> Path:
        """`stack.json`, there while the stack runs."""
        return self.directory / "stack.json"

    def start(self) -> None:
        """Start everything and write `stack.json`.

        Raises:
            AlreadyRunningError: another stack runs on the same directory.
            MariaDBUnavailableError: MariaDB is not installed or does not start.
            DeploymentError: the template could not be deployed.
            MigrationError: the schema could not be brought up to date.
        """
        try:
            with undisturbed():
                self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, in reverse order; nothing is left but the data and the logs."""
        with undisturbed():
            self._parts.close()

    def client(self, service: str) -> Any:  # noqa: ANN401 - see LocalCloud.client
        """A boto3 client of the local cloud."""
        return self.cloud.client(service)

    def put_event(self, envelope: Mapping[str, Any]) -> str:
        """Put an EventBridge envelope on the bus that it belongs to, by its `source`; return the event's id.

        Raises:
            RuntimeError: EventBridge refused it.
        """
        source = str(envelope["source"])
        bus = self.partner_event_bus if source.startswith("aws.partner/") else "default"
        entry = {
            "Source": source,
            "DetailType": envelope["detail-type"],
            "Detail": json.dumps(envelope["detail"]),
            "Resources": envelope.get("resources", []),
            "EventBusName": bus,
        }
        answer = self.client("events").put_events(Entries=[entry])["Entries"][0]
        if "EventId" not in answer:
            raise RuntimeError(f"{answer['ErrorCode']}: {answer['ErrorMessage']}")
        event_id: str = answer["EventId"]
        return event_id

    def execution_of_event(self, event_id: str) -> str | None:
        """ARN of the execution that an event started, by the name that EventBridge gives it."""
        return next(
            (e["executionArn"] for e in self.cloud.executions() if e["name"].startswith(f"{event_id}_")),
            None,
        )

    def wait_for_execution(self, arn: str, *, timeout_seconds: float = 60.0) -> dict[str, Any]:
        """Wait until an execution has ended; returns `DescribeExecution`'s answer."""
        return self.cloud.wait_for_execution(arn, timeout_seconds=timeout_seconds)

    def wait_until_idle(self, *, timeout_seconds: float = 600.0) -> None:
        """Wait until no execution runs."""
        self.cloud.wait_until_idle(timeout_seconds=timeout_seconds)

    def history(self, execution_arn: str) -> Sequence[dict[str, Any]]:
        """All events of an execution."""
        return self.cloud.history(execution_arn)

    def alerts(self) -> list[Alert]:
        """All alerts so far, oldest first. Reading does not take them out of `alert_queue_url`."""
        sqs = self.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self._own_alert_queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self._alerts.append(_read_alert(json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=self._own_alert_queue_url, ReceiptHandle=message["ReceiptHandle"])
        return list(self._alerts)

    def describe(self) -> dict[str, Any]:
        """What `stack.json` holds: every address that another program needs."""
        return {
            "api_url": self.api_url,
            "api_page_url": f"{self.api_url}{API_PAGE}",
            "operations_url": f"{self.api_url}{OPERATORS_PAGE}/",
            "aws_endpoint_url": self.cloud.endpoint_url,
            "region": self.cloud.region,
            "account_id": self.cloud.account_id,
            "state_machine_arn": self.state_machine_arn,
            "partner_event_bus": self.partner_event_bus,
            "alert_topic_arn": self.deployment.outputs["AlertTopicArn"],
            "alert_queue_url": self.alert_queue_url,
            "dead_letter_queue_url": self.dead_letter_queue_url,
            "database": asdict(self.database_address),
            "stripe_url": self.stripe_url,
            "cognito": dict(self.cognito),
            "user": asdict(READY_USER),
            "outputs": dict(self.deployment.outputs),
            "functions": {name: function.name for name, function in self.deployment.functions.items()},
            "logs_dir": str(self.logs_directory),
            "alerts_file": str(self._alert_journal.path),
            "pid": os.getpid(),
        }

    def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._parts.enter_context(DirectoryLock(self.directory / "lock"))
        if self.options.fresh:
            shutil.rmtree(self.database.directory, ignore_errors=True)
            shutil.rmtree(self.logs_directory, ignore_errors=True)
            for journal in (self._alert_journal, self._execution_journal):
                journal.path.unlink(missing_ok=True)
        self._parts.enter_context(self.database)
        self._parts.enter_context(self.cloud)
        self._start_stripe()
        # It listens before it answers: the functions must know the storefront's address.
        api = WebServer(port=self.options.api_port)
        self._parts.callback(api.stop)
        self.api_url = api.url
        self.cognito = create_user_pool(
            self.client("cognito-idp"), region=self.cloud.region, endpoint_url=self.cloud.endpoint_url
        )
        self._deploy()
        self._subscribe_to_alerts()
        self.migrated = self._migrate()
        served: WSGIApplication = HttpApi(self.deployment.template.http_api, self.cloud.lambdas)
        if self.options.rate_limit:
            served = ClientRateLimit(
                read_rate_limit(PROJECT / "deploy" / "rate-limit.yaml", secret=_PROXY_SECRET), served
            )
        page = OperatorsPage(self.describe(), self._storefront(served))
        self._parts.callback(page.close)
        api.start(page)
        self._write_file()
        self._parts.callback(self.file.unlink, missing_ok=True)

    def _storefront(self, http_api: "WSGIApplication") -> Storefront:
        return Storefront(
            ApiPage(PROJECT / "docs" / "openapi.yaml", http_api),
            sign_in=self.cognito,
            ready_user=asdict(READY_USER),
            events=lambda: events_on_sale(self.database_address),
        )

    def _start_stripe(self) -> None:
        if self.options.stripe_secret_key:
            self.stripe_url = "https://api.stripe.com"
            return
        file = self.directory / "stripe.sqlite"
        if self.options.fresh:
            for leftover in self.directory.glob("stripe.sqlite*"):
                leftover.unlink()
        stand_in = StripeStandIn(
            deliver=self._deliver,
            make_source=lambda made: self.cloud.make_partner_source(made.source),
            path=file,
            # One name over all restarts, so that scripts that put events on the partner bus stay right.
            destination=EventDestination(id=_DESTINATION_ID),
            port=free_port(self.options.stripe_port),
        )
        self.stripe = stand_in
        self._parts.callback(stand_in.stop)
        self._parts.callback(self._forget_stripe)
        stand_in.start()
        self.stripe_url = stand_in.url

    def _forget_stripe(self) -> None:
        self.stripe = None

    def _deliver(self, envelope: Mapping[str, Any]) -> None:
        """Take an event from the stand-in; it tries again where this raises."""
        # What comes for a source without a bus is lost, as on AWS.
        if envelope["source"] == self.partner_event_bus:
            self.put_event(envelope)

    def _deploy(self) -> None:
        template = load_template(
            self._template_file,
            parameters=self._template_parameters(),
            region=self.cloud.region,
            account_id=self.cloud.account_id,
        )
        self.cloud.deploy(template)

    def _template_parameters(self) -> dict[str, str]:
        database = self.database_address
        migration_secret = {
            "host": database.host,
            "port": database.port,
            "username": database.user,
            "password": database.password,
            "dbname": database.name,
        }
        database_secret = migration_secret | {"username": self.database.functions_user}
        admin_secret = {"username": "root", "password": database.password}
        stripe_secret = {
            "api_key": self.options.stripe_secret_key or "sk_test_local",
            "webhook_signing_secret": self.options.stripe_webhook_secret,
        }
        source = (
            self.stripe.destination.source if self.stripe is not None else EventDestination(id=_DESTINATION_ID).source
        )
        return {
            "StripeEventSourceName": source,
            "CreatePartnerEventBus": "true",
            "StripeLivemode": "false",
            "StripeApiBase": self.stripe_url,
            "StripeSecretArn": self.cloud.create_secret("cachao/stripe", stripe_secret),
            "DatabaseSecretArn": self.cloud.create_secret("cachao/database", database_secret),
            "DatabaseMigrationSecretArn": self.cloud.create_secret("cachao/database-migrations", migration_secret),
            "DatabaseAdminSecretArn": self.cloud.create_secret("cachao/database-admin", admin_secret),
            "DatabaseTls": "off",
            "FrontendOrigins": ",".join([*self.options.frontend_origins, *self._own_origins()]),
            "FrontendUrl": self.api_url,
            "CognitoIssuer": self.cognito["issuer"],
            "CognitoClientIds": self.cognito["client_id"],
            "CognitoJwksUrl": self.cognito["jwks_url"],
            **({"ProxySecret": _PROXY_SECRET} if self.options.rate_limit else {}),
            **self.options.parameters,
        }

    def _own_origins(self) -> list[str]:
        """The storefront's, under both names of this machine."""
        return [self.api_url, self.api_url.replace(LOOPBACK, "localhost")]

    def _subscribe_to_alerts(self) -> None:
        """Two queues: one for people and programs, one that `alerts()` reads; and the file that outlives us."""
        self._alert_journal.load()  # what a kill left half written is taken off
        self.cloud.keep_messages(self.deployment.outputs["AlertTopicArn"], self._alert_journal.append)
        self.alert_queue_url = self._subscribe("alerts")
        self._own_alert_queue_url = self._subscribe("alerts-of-the-stack")

    def _subscribe(self, name: str) -> str:
        sqs = self.client("sqs")
        url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = self.deployment.outputs["AlertTopicArn"]
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return self._queue_url(url)

    def _queue_url(self, url: str) -> str:
        """The queue's address in this cloud; moto names AWS's own host in what CloudFormation made."""
        return f"{self.cloud.endpoint_url}/{self.cloud.account_id}/{url.rpartition('/')[2]}"

    def _migrate(self) -> Sequence[str]:
        """Bring the schema up to date as on AWS: by the function of the deployed template."""
        result = self.cloud.lambdas.invoke("MigrateDatabaseFunction", b"{}")
        if result.function_error is not None or result.service_error is not None:
            log = self.cloud.lambdas.log_file(self.cloud.lambdas.function("MigrateDatabaseFunction"))
            raise MigrationError(f"the migration failed: {result.payload.decode(errors='replace')} (see {log})")
        answer = json.loads(result.payload)
        applied: Sequence[str] = answer.get("applied", ()) if isinstance(answer, dict) else ()
        return applied

    def _write_file(self) -> None:
        """Write `stack.json` at once, readable by its owner only: it holds the database's password."""
        descriptor, temporary = tempfile.mkstemp(dir=self.directory, prefix="stack.", suffix=".json")  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(self.describe(), stream, indent=2)
            stream.write("\n")
        Path(temporary).replace(self.file)


def _read_alert(notification: Mapping[str, Any]) -> Alert:
    attributes = notification.get("MessageAttributes", {})
    return Alert(
        subject=notification.get("Subject", ""),
        message=notification["Message"],
        attributes={name: attribute["Value"] for name, attribute in attributes.items()},
    )


class DirectoryLock:
    """Held while a stack runs on a directory; the kernel lets go of it whatever happens to us."""

    def __init__(self, file: Path) -> None:
        """Name the lock file."""
        self._file = file
        self._stream: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyRunningError: somebody has it.
        """
        while self._stream is None:
            stream = self._file.open("a+", encoding="ascii")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise AlreadyRunningError(self._refusal(stream)) from None
            if _is_same_file(stream, self._file):  # its last owner may have removed it meanwhile
                self._stream = stream
            else:
                stream.close()
        self._stream.truncate(0)
        self._stream.write(f"{os.getpid()}\n")
        self._stream.flush()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it, and leave no file."""
        if self._stream is not None:
            self._file.unlink(missing_ok=True)
            self._stream.close()
            self._stream = None

    def _refusal(self, stream: IO[str]) -> str:
        with stream:
            stream.seek(0)
            owner = stream.read().strip()
        return (
            f"The local stack is already running (process {owner or 'unknown'}). "
            f"Its addresses are in {self._file.parent / 'stack.json'}; stop it with Ctrl-C where it runs"
            f"{f', or: kill {owner}' if owner else ''}."
        )


def _is_same_file(stream: IO[str], file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except FileNotFoundError:
        return False
