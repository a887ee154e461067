"""TellEndedExecution: alerts on executions that ended without a Catch: time out, abort, an error of Step Functions.

It is invoked by "Step Functions Execution Status Change" events of the default bus. Their `detail` is what
DescribeExecution answers, without a long `input` (https://docs.aws.amazon.com/step-functions/latest/dg/cw-events.html).
It needs no database. What it cannot find out, the alert calls unknown; the alert still goes out.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handlers import alert_outbox, alert_topic
from handlers.alert_outbox import AlertOutbox, NotedAlert
from handlers.runtime import TaskInput, logger, task
from handlers.settings import required, stripe_livemode
from ticketing.errors import InvalidEvent
from ticketing.orders.numbers import order_id_of
from ticketing.stripe.events import SessionEvent, StripeEvent, read_event

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The state that ends an execution with an alert of its own.
_ALERTED: Final = "PaymentFailed"
ALERT_NAMES: Final = {"TIMED_OUT": "ExecutionTimedOut", "ABORTED": "ExecutionAborted", "FAILED": "ExecutionFailed"}
# Errors of Step Functions itself; all others are of a task, and caught.
_OWN_ERRORS: Final = "States."
# How the cause begins that PaymentFailed gives: with the step, or with the two counts.
_ALERTED_CAUSE: Final = re.compile(r"(?:[A-Z][a-z]+){2,}(?: and (?:[A-Z][a-z]+){2,})?: ")
_LAST_EVENTS: Final = 100
_MOST_CAUSE: Final = 500


class _Detail(msgspec.Struct, rename="camel"):
    execution_arn: str
    name: str
    status: str
    input: str | None = None
    error: str | None = None
    cause: str | None = None


class TellEndedExecutionInput(TaskInput):
    """The event's detail."""

    detail: _Detail


class Told(msgspec.Struct):
    """`told`: the alert went out. `left`: the summary sends it. `nothing`: the execution had its own alert."""

    result: str


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 -- Lambda hands over anything
    """Return what became of the alert. Raises botocore's errors if it cannot be published: Lambda retries."""
    detail = event.get("detail") if isinstance(event, dict) else None
    execution = detail.get("executionArn") if isinstance(detail, dict) else None
    return _tell({"execution_id": str(execution), "detail": detail}, context)


@task(TellEndedExecutionInput)
def _tell(given: TellEndedExecutionInput) -> Told:
    detail = given.detail
    if detail.status not in ALERT_NAMES:
        return Told("nothing")
    if detail.status == "FAILED" and _had_an_alert(detail):
        return Told("nothing")
    detail, step = _looked_up(detail)
    if detail.status == "FAILED" and (step == _ALERTED or _had_an_alert(detail)):
        return Told("nothing")
    return Told(_publish_once(*_alert(detail, step or "unknown")))


def _had_an_alert(detail: _Detail) -> bool:
    if detail.error is None:
        return False
    return not detail.error.startswith(_OWN_ERRORS) or bool(_ALERTED_CAUSE.match(detail.cause or ""))


def _looked_up(detail: _Detail) -> tuple[_Detail, str | None]:
    """Give the detail with what the event left out, and the state in which the execution ended."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- slow to import

    step = None
    try:
        states = _step_functions()
        if detail.input is None or (detail.status == "FAILED" and detail.error is None):
            found = states.describe_execution(executionArn=detail.execution_arn)
            detail = msgspec.structs.replace(
                detail, input=found.get("input"), error=found.get("error"), cause=found.get("cause")
            )
        history = states.get_execution_history(
            executionArn=detail.execution_arn, maxResults=_LAST_EVENTS, reverseOrder=True, includeExecutionData=False
        )
        entered = [event for event in history["events"] if "stateEnteredEventDetails" in event]
        if entered:
            step = max(entered, key=lambda event: event["id"])["stateEnteredEventDetails"]["name"]
    except (BotoCoreError, ClientError):
        logger.exception("The execution could not be looked up")
    return detail, step


def _alert(detail: _Detail, step: str) -> tuple[NotedAlert, alert_topic.AlertMail]:
    name = ALERT_NAMES[detail.status]
    envelope = _envelope(detail.input)
    payment = _payment(envelope)
    order = getattr(payment, "order_reference", None) or _order_of(envelope) or "unknown"
    happened = _sentence(detail, step)
    replay = f"cachao replay {detail.name}"
    what_to_do = (
        f"find out who stopped it, and why. Then run: {replay}"
        if detail.status == "ABORTED"
        else f"find the cause (run: cachao doctor), fix it, then run: {replay}"
    )
    alert = NotedAlert(
        key=f"alert#{name}#{detail.execution_arn}",
        execution_arn=detail.execution_arn,
        error=name,
        step=step,
        order=order,
        what_happened=happened,
        what_to_do=what_to_do,
        claimed_at=alert_outbox.now(),
    )
    lines = [
        f"{name} in {step}",
        "",
        f"What happened: {happened}",
        f"Order: {order}",
        f"Step: {step}",
        f"Was money taken: {_money_taken(payment, order)}",
        f"What to do now: {what_to_do}",
        "",
        f"Stripe event: {f'{payment.event_id} ({payment.event_type})' if payment else 'unreadable'}",
        f"Checkout Session: {getattr(payment, 'session_id', None) or 'none'}",
        f"Payment: {getattr(payment, 'payment_intent_id', None) or 'none'}",
        f"Execution: {detail.execution_arn}",
        f"Console: {alert_topic.console_link(detail.execution_arn)}",
    ]
    return alert, alert_topic.AlertMail(name=name, about=f"order {order}", lines=lines, order=order, step=step)


def _sentence(detail: _Detail, step: str) -> str:
    cause = f" Reason: {detail.cause[:_MOST_CAUSE]}" if detail.cause else ""
    if detail.status == "TIMED_OUT":
        return f"The execution timed out in {step}. The steps before it are done; it and the later steps may not be."
    if detail.status == "ABORTED":
        return (
            f"A person stopped the execution in {step}. The steps before it are done; it and the later steps may"
            f" not be.{cause}"
        )
    return f"Step Functions ended the execution with {detail.error or 'an unknown error'} in {step}.{cause}"


def _money_taken(payment: StripeEvent | None, order: str) -> str:
    if payment is None:
        return "unknown: see the input of the execution"
    if isinstance(payment, SessionEvent) and payment.outcome == "paid":
        if not payment.takes_money:
            return "no, the order was free"
        return f"yes, {payment.charged or 'amount unknown'}. To see whether the order is paid, run: cachao show {order}"
    if payment.outcome == "refund":
        return "yes, earlier; this event is about its refund"
    if payment.outcome == "dispute":
        return "yes, earlier; this event is about its dispute"
    return "no"


def _envelope(text: str | None) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def _payment(envelope: object) -> StripeEvent | None:
    try:
        return read_event(envelope, livemode=stripe_livemode())
    except InvalidEvent:
        return None


def _order_of(envelope: object) -> str | None:
    """Give the order that an event names which cannot be read as a whole."""
    for field in ("detail", "data", "object", "metadata", "order_id"):
        if not isinstance(envelope, dict):
            return None
        envelope = envelope.get(field)
    return None if order_id_of(str(envelope)) is None else str(envelope)


def _publish_once(alert: NotedAlert, mail: alert_topic.AlertMail) -> str:
    """Publish now, or leave the alert to the summary. If AlertTable fails, publish."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- slow to import

    outbox = AlertOutbox(alert_outbox.client(), required("ALERT_TABLE_NAME"))
    try:
        if not outbox.claim(alert) or not outbox.is_first(alert):
            return "left"
    except (BotoCoreError, ClientError):
        logger.exception("AlertTable failed; the alert goes out now")
    alert_topic.publish(alert_topic.client(), mail)
    try:
        outbox.note_sent(alert.key)
    except (BotoCoreError, ClientError):
        logger.exception("The alert went out, but AlertTable failed; the summary sends it again")
    return "told"


def _step_functions() -> SFNClient:
    import boto3  # noqa: PLC0415 -- slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    return boto3.client(
        "stepfunctions",
        config=Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}),
    )
