"""Events that EventBridge could not deliver, and that wait in the dead-letter queue: seen and started anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import RenderableType

from cachao import start_executions
from cachao.aws import execution_names
from cachao.aws.environment import Environment
from cachao.aws.execution_input import summarise
from cachao.command_context import CommandContext
from cachao.view.entries import entries
from cachao.view.output import escape, pluralize
from ticketing.stripe.event_types import OWN_SOURCE, PARTNER_SOURCE_PREFIX
from ticketing.stripe.thin_events import thin_envelope

# Longer than starting ten executions takes; a message that is not deleted by then comes back by itself.
_HIDDEN_SECONDS: Final = 120
_BATCH: Final = 10
# Bytes that Step Functions takes as an execution's input. EventBridge and SQS take 1 MB.
_LARGEST_INPUT: Final = 262_144


@dataclass(frozen=True)
class DeadLetter:
    """A message of the queue, and what an execution would get of it: the event, thin where it is too large.

    `reason` says why it cannot be started anew; None: it can.
    """

    receipt: str
    body: str
    given: str
    event_id: str
    error_code: str
    error_message: str
    reason: str | None


@dataclass
class _Emptied:
    begun: start_executions.Begun = field(default_factory=start_executions.Begun)
    left: list[DeadLetter] = field(default_factory=list)
    discarded: list[DeadLetter] = field(default_factory=list)


def count(environment: Environment) -> int:
    """Give the approximate number of messages, those included that somebody is just looking at."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = environment.client("sqs").get_queue_attributes(QueueUrl=queue_url(environment), AttributeNames=names)
    return sum(int(answer["Attributes"].get(name, 0)) for name in names)


def queue_url(environment: Environment) -> str:
    """Give the queue's address."""
    return environment.output("EventDeadLetterQueueUrl")


def peek(environment: Environment) -> list[DeadLetter]:
    """Look at up to ten messages without hiding them from others."""
    return _receive(environment, hidden_seconds=0)


def replay(
    context: CommandContext, *, yes: bool, wait_seconds: float, discard: bool = False, dry_run: bool = False
) -> None:
    """Start an execution for each event in the queue; a message is deleted only once its execution is started.

    One event is one execution's name, so that a message that could not be deleted, or came twice, starts nothing
    twice. What is no event stays where it is and is reported; with `discard` it is deleted, and shown. With `dry_run`
    the first of them are shown, and nothing is done.
    """
    environment, output = context.environment, context.output
    waiting = count(environment)
    if not waiting:
        output.answer({"replays": [], "left": [], "discarded": []}, "The dead-letter queue is empty.")
        return
    seen = peek(environment)
    if dry_run:
        # SQS gives some of them; all would be started.
        output.answer(
            {"dry_run": True, "waiting": waiting, "first": [as_data(letter, longest=500) for letter in seen]},
            *_entries(_headline(len(seen), waiting), seen),
        )
        return
    if not output.as_json:
        output.answer(None, *_entries(_headline(len(seen), waiting), seen))
    rest = " And delete what is not an event?" if discard else ""
    output.confirm(f"Start an execution for each of them in {environment.name}?{rest}", yes=yes)
    done = _empty(environment, discard=discard)
    if done.left:
        output.note(f"[yellow]Left in the queue: {pluralize(len(done.left), 'message')}.[/yellow]")
    for title, letters in (("Left in the queue", done.left), ("Deleted", done.discarded)):
        if letters and not output.as_json:
            output.answer(None, *_entries(title, letters))
    extra = {
        "left": [as_data(letter, longest=500) for letter in done.left],
        "discarded": [as_data(letter) for letter in done.discarded],
    }
    start_executions.report(context, done.begun, wait_seconds=wait_seconds, extra=extra)


def _headline(shown: int, waiting: int) -> str:
    # SQS counts roughly, and gives as many at a time as it likes.
    first = f"The first of about {waiting}" if waiting > shown else f"About {waiting}"
    return f"{first} {'event' if waiting == 1 else 'events'} that could not be delivered"


def _empty(environment: Environment, *, discard: bool) -> _Emptied:
    done = _Emptied()
    try:
        for letter in _drain(environment):
            if letter.reason is None:
                name = execution_names.dead_letter_name(letter.event_id)
                _, arn = start_executions.start(environment, name, letter.given)
                done.begun.inputs[arn] = letter.given
            if letter.reason is None or discard:
                _delete(environment, letter)
            if letter.reason is not None:
                (done.discarded if discard else done.left).append(letter)
    except (Exception, KeyboardInterrupt) as error:
        if not done.begun.inputs and not done.discarded:
            raise
        # What was done is told all the same.
        done.begun.stopped_by = error
    finally:
        for letter in done.left:
            environment.client("sqs").change_message_visibility(
                QueueUrl=queue_url(environment), ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )
    return done


def as_data(letter: DeadLetter, *, longest: int | None = None) -> dict[str, Any]:
    """Give a message as JSON, its body cut to so many characters."""
    return {
        "error_code": letter.error_code,
        "error_message": letter.error_message,
        "event_type": summarise(letter.body).event_type,
        "reason": letter.reason,
        "body": letter.body[:longest],
    }


def _delete(environment: Environment, letter: DeadLetter) -> None:
    environment.client("sqs").delete_message(QueueUrl=queue_url(environment), ReceiptHandle=letter.receipt)


def _drain(environment: Environment) -> Iterator[DeadLetter]:
    while letters := _receive(environment, hidden_seconds=_HIDDEN_SECONDS):
        yield from letters


def _receive(environment: Environment, *, hidden_seconds: int) -> list[DeadLetter]:
    answer = environment.client("sqs").receive_message(
        QueueUrl=queue_url(environment),
        MaxNumberOfMessages=_BATCH,
        VisibilityTimeout=hidden_seconds,
        MessageAttributeNames=["All"],
        WaitTimeSeconds=1,
    )
    return [_read(message) for message in answer.get("Messages", [])]


def _read(message: dict[str, Any]) -> DeadLetter:
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    try:
        envelope = json.loads(message["Body"])
    except ValueError:
        envelope = None
    event_id = envelope.get("id") if isinstance(envelope, dict) else None
    source = str(envelope.get("source", "")) if isinstance(envelope, dict) else ""
    reason = None
    if not isinstance(event_id, str) or not event_id or "detail" not in envelope:
        reason = "it is not an EventBridge event"
    elif source != OWN_SOURCE and not source.startswith(PARTNER_SOURCE_PREFIX):
        # Whatever target it was meant for: a rule's wrong target is one of the reasons why events end here.
        reason = f"its source {source} is not Stripe"
    given = message["Body"]
    if reason is None and len(given.encode()) > _LARGEST_INPUT:
        # EventBridge takes it, Step Functions does not: it is started as a thin one.
        thin = thin_envelope(envelope)
        given = json.dumps(thin, ensure_ascii=False)
        if thin is None:
            reason = "it is too large for an execution, and does not say what it is about"
    return DeadLetter(
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        given=given,
        event_id=str(event_id),
        error_code=attributes.get("ERROR_CODE", ""),
        error_message=attributes.get("ERROR_MESSAGE", ""),
        reason=reason,
    )


def _entries(title: str, letters: list[DeadLetter]) -> list[RenderableType]:
    listed = []
    for letter in letters:
        event = summarise(letter.body)
        details = [
            escape(event.event_type),
            f"order {escape(event.order_reference)}",
            escape(event.event_id),
            escape(f"{letter.error_code} {letter.error_message}".strip()),
            f"[bold]{'starts it' if letter.reason is None else escape(letter.reason)}[/bold]",
        ]
        # What cannot be started gets no name.
        name = "no event" if letter.reason is not None else execution_names.dead_letter_name(letter.event_id)
        listed.append((name, details))
    return entries(title, listed)
