"""EventBridge rules of moto.

What moto 5.2.5 lacks:
- state machines and Lambda functions as targets of a rule (NotImplementedError);
- retry policy and dead-letter queue of a target;
- rules on a partner bus: its name holds slashes, at which moto cuts; buses from CloudFormation with an
  `EventSourceName` need the partner source to exist; `Ref` to a bus is not its name;
- rules that are disabled, or that have a schedule and no pattern, must not see events: moto gives them all;
- `detail` that is JSON but no object is refused by AWS (`MalformedDetail`); moto warns and goes on;
- the event that a target gets has an ISO `time`;
- nothing tells of the ends of executions ("Step Functions Execution Status Change").
"""

import copy
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import AWSError, JsonRESTError
from moto.events import models as events_models
from moto.events.models import EventBus, EventsBackend, PartnerEventSource, Rule
from moto.sqs import sqs_backends
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.aws.moto_patches.replacing import Replacements

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
_DEFAULT_ATTEMPTS, _DEFAULT_AGE_SECONDS = 185, 86_400
_LONGEST_WAIT_SECONDS = 300.0
# The target is not there, or will never take this event: straight to the dead-letter queue, as on AWS.
_NEVER_PASSES = {
    "StateMachineDoesNotExist",
    "ResourceNotFoundException",
    "ValidationException",
    "AccessDeniedException",
}


# What of the input, escaped, an event of Step Functions holds at most.
_LARGEST_INPUT = 248 * 1024


class DeliveryError(Exception):
    """A target did not take an event.

    Attributes:
        code: AWS's name of the error, for the dead letter.
        message: its sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        """Carry what the dead letter will say."""
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one target."""

    rule_arn: str
    target: dict[str, Any]
    event: dict[str, Any]
    account_id: str
    region: str

    @property
    def target_arn(self) -> str:
        """ARN of the target."""
        arn: str = self.target["Arn"]
        return arn

    @property
    def body(self) -> str:
        """What the target gets: the event, or the target's constant input."""
        return str(self.target["Input"]) if "Input" in self.target else json.dumps(self.event)


# Called before each attempt; raises DeliveryError to make it fail. For fault tests.
DeliveryInterceptor = Callable[[Delivery], None]


class EventDelivery:
    """Delivers events to targets as EventBridge does: with its retries, then to the dead-letter queue.

    Args:
        invoke_function: `(name_or_arn, payload)`, asynchronous.
        retry_wait_factor: shortens the waits between attempts, for tests.
    """

    def __init__(self, *, invoke_function: Callable[[str, bytes], None], retry_wait_factor: float) -> None:
        """Begin without interceptors."""
        self.interceptors: list[DeliveryInterceptor] = []
        self._invoke_function = invoke_function
        self._factor = retry_wait_factor
        self._closed = threading.Event()

    def deliver(self, delivery: Delivery) -> None:
        """Try at once; where that fails and may pass later, go on in the background."""
        error = self._attempt(delivery)
        if error is None:
            return
        if error.code in _NEVER_PASSES:
            self._to_dead_letter_queue(delivery, error, attempts=0, condition=None)
            return
        threading.Thread(target=self._retry, args=(delivery, error), name="event-retry", daemon=True).start()

    def close(self) -> None:
        """Give up all waiting deliveries."""
        self._closed.set()

    def _retry(self, delivery: Delivery, error: DeliveryError) -> None:
        policy = delivery.target.get("RetryPolicy", {})
        attempts = int(policy.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS))
        oldest = time.monotonic() + float(policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS)) * self._factor
        for attempt in range(1, attempts + 1):
            wait = random.uniform(0, min(_LONGEST_WAIT_SECONDS, 2.0**attempt)) * self._factor  # noqa: S311 - jitter
            if time.monotonic() + wait > oldest:
                self._to_dead_letter_queue(delivery, error, attempts=attempt - 1, condition="MaximumEventAgeInSeconds")
                return
            if self._closed.wait(wait):
                return
            failed = self._attempt(delivery)
            if failed is None:
                return
            error = failed
        self._to_dead_letter_queue(delivery, error, attempts=attempts, condition="MaximumRetryAttempts")

    def _attempt(self, delivery: Delivery) -> DeliveryError | None:
        try:
            for interceptor in list(self.interceptors):
                interceptor(delivery)
            if delivery.target_arn.split(":")[2] == "states":
                self._start_execution(delivery)
            else:
                self._invoke_function(delivery.target_arn, delivery.body.encode())
        except DeliveryError as error:
            return error
        except LookupError as error:
            return DeliveryError("ResourceNotFoundException", str(error))
        except (AWSError, JsonRESTError) as error:
            code = getattr(error, "TYPE", None) or getattr(error, "error_type", type(error).__name__)
            return DeliveryError(str(code), str(getattr(error, "message", error)))
        return None

    @staticmethod
    def _start_execution(delivery: Delivery) -> None:
        _, _, _, region, account_id, *_ = delivery.target_arn.split(":")
        backend = stepfunctions_parser_backends[account_id][region]
        # EventBridge names the executions it starts `<event id>_<another id>`.
        name = f"{delivery.event['id']}_{uuid.uuid4()}"
        backend.start_execution(delivery.target_arn, name=name, execution_input=delivery.body)

    @staticmethod
    def _to_dead_letter_queue(
        delivery: Delivery, error: DeliveryError, *, attempts: int, condition: str | None
    ) -> None:
        queue_arn = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        if not queue_arn:
            return  # dropped, as on AWS
        attributes = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target_arn,
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message,
            "RETRY_ATTEMPTS": str(attempts),
        }
        if condition is not None:
            attributes["EXHAUSTED_RETRY_CONDITION"] = condition
        _, _, _, region, account_id, queue_name = queue_arn.split(":")
        sqs_backends[account_id][region].send_message(
            queue_name=queue_name,
            message_body=delivery.body,
            message_attributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )


def apply(replacements: Replacements, delivery: EventDelivery) -> None:
    """Let moto's rules reach state machines and functions through `delivery`."""

    def send_to_targets(self: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002
        if self.state != "ENABLED" or not self.event_pattern.get_pattern():
            return
        if not self.event_pattern.matches_event(original_event):
            return
        for target in self.targets:
            if target["Arn"].split(":")[2] in {"states", "lambda"}:
                event = _as_delivered(original_event)
                delivery.deliver(Delivery(self.arn, target, event, self.account_id, self.region_name))
            else:
                only_this = copy.copy(self)
                only_this.targets = [target]
                _moto_send_to_targets(only_this, original_event, transform_input)

    replacements.set(Rule, "send_to_targets", send_to_targets)
    replacements.set(BaseExecutionWorkerCommunication, "terminated", _terminated)
    replacements.set(EventsBackend, "put_events", _put_events)
    replacements.set(EventsBackend, "_normalize_event_bus_arn", _bus_name)
    replacements.set(EventsBackend, "describe_event_source", _describe_source)
    replacements.set(EventsBackend, "create_event_bus", _create_event_bus)
    replacements.set(EventBus, "physical_resource_id", property(lambda self: self.name))
    replacements.set(EventBus, "create_from_cloudformation_json", classmethod(_create_bus))  # type: ignore[arg-type] # moto's own names


_moto_terminated = BaseExecutionWorkerCommunication.terminated


def make_source(name: str, *, account_id: str, region: str) -> None:
    """Make a partner event source in an account, as the partner does: pending until there is a bus of its name."""
    source = PartnerEventSource(region, name.removeprefix("aws.partner/"))
    source.name, source.state = name, "PENDING"
    events_models.events_backends[account_id][region].event_sources[name] = source


_moto_send_to_targets = Rule.send_to_targets
_moto_put_events = EventsBackend.put_events
_moto_create_event_bus = EventsBackend.create_event_bus
_moto_create_bus = EventBus.create_from_cloudformation_json.__func__


def scheduled_event(rule: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event that a schedule rule sends."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": _iso(time.time()),
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
    }


def _terminated(self: Any) -> None:  # noqa: ANN401
    _moto_terminated(self)
    execution = self.execution
    event = status_change(execution)
    bus = events_models.events_backends[execution.account_id][execution.region_name].event_buses.get("default")
    for rule in list(bus.rules.values()) if bus is not None else []:
        rule.send_to_targets(event)


def status_change(execution: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event that tells of an execution's end (https://docs.aws.amazon.com/step-functions/latest/dg/cw-events.html)."""
    reported = execution.to_describe_output()
    included = len(json.dumps(reported["input"])) <= _LARGEST_INPUT
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": execution.stop_date.timestamp(),
        "region": execution.region_name,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": int(execution.start_date.timestamp() * 1000),
            "stopDate": int(execution.stop_date.timestamp() * 1000),
            "input": reported["input"] if included else None,
            "inputDetails": {"included": included},
            "output": reported.get("output"),
            "outputDetails": {"included": True} if "output" in reported else None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def _as_delivered(event: dict[str, Any]) -> dict[str, Any]:
    delivered = {key: value for key, value in event.items() if key != "ingestion-time"}
    delivered["time"] = _iso(event["time"])
    return delivered


def _iso(moment: object) -> str:
    if isinstance(moment, int | float):
        moment = datetime.fromtimestamp(moment, UTC)
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(moment)


def _bus_name(self: object, event_bus_arn: str | None) -> str:
    del self
    if event_bus_arn is None:
        return "default"
    _, _, name = event_bus_arn.rpartition(":event-bus/")
    return name


def _put_events(self: Any, events: list[dict[str, Any]]) -> Any:  # noqa: ANN401
    for event in events:
        if not _is_object_or_invalid(event.get("Detail")):
            event["Detail"] = "{"  # which moto answers as AWS does: MalformedDetail
    return _moto_put_events(self, events)


def _is_object_or_invalid(detail: str | None) -> bool:
    try:
        return not detail or isinstance(json.loads(detail), dict)
    except ValueError:
        return True


def _describe_source(self: Any, name: str) -> PartnerEventSource:  # noqa: ANN401
    if name not in self.event_sources:
        raise JsonRESTError("ResourceNotFoundException", f"Event source {name} does not exist.")
    source: PartnerEventSource = self.event_sources[name]
    return source


def _create_event_bus(self: Any, name: str, event_source_name: str | None = None, **fields: Any) -> EventBus:  # noqa: ANN401
    bus = _moto_create_event_bus(self, name, event_source_name, **fields)
    if event_source_name:
        self.event_sources[event_source_name].state = "ACTIVE"
    return bus


def _create_bus(
    cls: type[EventBus],
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **kwargs: object,
) -> Any:  # noqa: ANN401
    source = cloudformation_json["Properties"].get("EventSourceName")
    backend = events_models.events_backends[account_id][region_name]
    if source and source not in backend.event_sources:
        backend.event_sources[source] = PartnerEventSource(region_name, source.removeprefix("aws.partner/"))
        backend.event_sources[source].name = source
    return _moto_create_bus(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
