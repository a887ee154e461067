"""What is held of a buyer outside the tables: executions, log lines, events that wait in the dead-letter queue."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cachao.aws import executions, logs
from cachao.aws.environment import Environment
from cachao.aws.executions import REMEMBERED, Execution
from cachao.problems import Problem
from ticketing import addresses
from ticketing.operators.forget_buyer import FORGOTTEN

FUNCTION: Final = "BuyerDataFunction"
# How long Stripe's API gives an event (https://docs.stripe.com/api/events).
_STRIPE_EVENT_DAYS: Final = 30
# Longer than one round over the messages takes; what is not deleted by then comes back by itself.
_HIDDEN_SECONDS: Final = 120
_BATCH: Final = 10
# What an event says of its buyer, besides the address. The workflow reads none of it.
_OF_THE_BUYER: Final = frozenset(
    {"billing_details", "collected_information", "customer_details", "shipping", "shipping_details"}
)


def pages(
    environment: Environment, given: dict[str, Any], on_progress: Callable[[int], object]
) -> Iterator[dict[str, Any]]:
    """Call BuyerData until it is done, and give its orders; `on_progress` is called with how many each answer had."""
    after_id: int | None = 0
    while after_id is not None:
        page = environment.invoke(FUNCTION, {**given, "after_id": after_id})
        on_progress(len(page["orders"]))
        yield page
        after_id = page["after_id"]


def executions_of(
    environment: Environment, orders: list[dict[str, Any]], on_progress: Callable[[], object]
) -> tuple[list[Execution], bool]:
    """Give all executions of these orders, the oldest first, and whether the logs answered for each order."""
    found: dict[str, Execution] = {}
    complete = True
    for order in orders:
        inspected = {"order": order, "history": order["order_history"]}
        of_order = executions.of_order(environment, inspected)
        complete = complete and of_order.complete
        found.update({execution.arn: execution for execution in of_order.executions})
        on_progress()
    return sorted(found.values(), key=lambda execution: execution.started), complete


def log_lines(environment: Environment, orders: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Give the functions' log lines about these orders; None: the logs did not answer."""
    numbers = {str(order["id"]) for order in orders}
    return logs.lines_of(environment, numbers, since=datetime.now(UTC) - REMEMBERED) if numbers else []


def pattern_of(address: str) -> re.Pattern[str]:
    """Give what finds the address in a text or in a file, however it is written."""
    ways = addresses.spellings(address)
    in_json = {json.dumps(way)[1:-1] for way in ways}
    longest_first = sorted({*ways, *in_json}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def waiting_events(environment: Environment, address: str) -> list[str]:
    """Give the events of the dead-letter queue that have the address; each is seen again by others at once."""
    pattern = pattern_of(address)
    queue = environment.output("EventDeadLetterQueueUrl")
    return [message["Body"] for message in _messages(environment, queue) if pattern.search(message["Body"])]


def forget_waiting_events(environment: Environment, address: str) -> int:
    """Put in place of each event that has the address one without the buyer, and give how many there were.

    The new one is sent before the old one is deleted: stopped in between there are two, and an execution is named after
    its event, so that it is started once.
    """
    sqs, queue, pattern = environment.client("sqs"), environment.output("EventDeadLetterQueueUrl"), pattern_of(address)
    number = 0
    for message in _messages(environment, queue):
        if not pattern.search(message["Body"]):
            continue
        attributes = {
            name: {key: value[key] for key in ("DataType", "StringValue") if key in value}
            for name, value in message.get("MessageAttributes", {}).items()
        }
        sqs.send_message(
            QueueUrl=queue, MessageBody=without_buyer(message["Body"], pattern), MessageAttributes=attributes
        )
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        number += 1
    return number


def without_buyer(body: str, pattern: re.Pattern[str]) -> str:
    """Give an event without its buyer; what is no JSON only loses the address."""
    try:
        event = json.loads(body)
    except ValueError:
        return pattern.sub(FORGOTTEN, body)
    return json.dumps(_without(event, pattern), ensure_ascii=False)


def _without(value: Any, pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict):
        return {
            pattern.sub(FORGOTTEN, name): None if name in _OF_THE_BUYER else _without(inner, pattern)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_without(inner, pattern) for inner in value]
    return pattern.sub(FORGOTTEN, value) if isinstance(value, str) else value


def _messages(environment: Environment, queue: str) -> Iterator[dict[str, Any]]:
    """Give every message of a queue once, and let others see afterwards those that were not deleted."""
    sqs, seen, kept = environment.client("sqs"), set[str](), list[str]()
    try:
        while True:
            answer = sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HIDDEN_SECONDS,
                MessageAttributeNames=["All"],
                WaitTimeSeconds=1,
            )
            messages = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
            if not messages:
                return
            for message in messages:
                seen.add(message["MessageId"])
                kept.append(message["ReceiptHandle"])
                yield message
    finally:
        for receipt in kept:
            _show_again(sqs, queue, receipt)


def _show_again(sqs: Any, queue: str, receipt: str) -> None:  # noqa: ANN401 -- a boto3 client
    try:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
    except sqs.exceptions.ClientError:
        return  # deleted, or it comes back by itself


def forget_in_local_logs(environment: Environment, address: str) -> int:
    """Write x over the address in the local stack's log files, in place, and give how often it was there.

    No function writes one. In place, since the processes that write the files have them open. On AWS nothing is done:
    what is in CloudWatch cannot be changed.
    """
    folder = environment.logs_directory
    if folder is None or not folder.is_dir():
        return 0
    pattern = re.compile(pattern_of(address).pattern.encode(), re.IGNORECASE)
    return sum(_write_over(file, pattern) for file in sorted(folder.rglob("*")) if file.is_file())


def _write_over(path: Path, pattern: re.Pattern[bytes]) -> int:
    number = 0
    with path.open("r+b") as file:
        content = file.read()
        for found in pattern.finditer(content):
            os.pwrite(file.fileno(), b"x" * len(found[0]), found.start())
            number += 1
    return number


def kept_elsewhere(environment: Environment, found: list[Execution]) -> list[dict[str, Any]]:
    """Say what this command cannot reach, where that is, and until when; `until` None: nobody here knows."""
    now = datetime.now(UTC)
    last = max((execution.stopped or now for execution in found), default=now)
    days = environment.parameters.get("LogRetentionDays", str(REMEMBERED.days))
    return [
        {
            "where": "Step Functions' execution history (name and address, in the events of the payments)",
            "until": last + REMEMBERED,
            "what_to_do": "It goes by itself. A payment still under way adds to it.",
        },
        {
            "where": "the functions' logs (order numbers and Stripe's ids, no address)",
            "until": now + timedelta(days=int(days)),
            "what_to_do": "They go by themselves.",
        },
        {
            "where": "Stripe's events",
            "until": now + timedelta(days=_STRIPE_EVENT_DAYS),
            "what_to_do": "They go by themselves.",
        },
        {
            "where": "Stripe: Checkout Sessions, payments, receipts, evidence in disputes",
            "until": None,
            "what_to_do": "Order a redaction job with the orders' PaymentIntents and Checkout Sessions; Stripe takes"
            " payments 90 days after they were made, and then nobody can refund them any more"
            " (https://docs.stripe.com/privacy/redaction).",
        },
        {
            "where": "the database's backups and binary logs, and the buyer's account (Cognito)",
            "until": None,
            "what_to_do": "Backups go with their retention; say the command again after one was restored. Delete the"
            " account in the user pool.",
        },
    ]


def checked(address: str) -> str:
    """Give the address without blanks around it.

    Raises:
        Problem: it is none.
    """
    address = address.strip()
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or len(address) > 255 or any(c.isspace() for c in address):  # noqa: PLR2004
        raise Problem("Give a whole e-mail address, e.g. jenny@example.com.", exit_code=2)
    if address.lower() == FORGOTTEN:
        raise Problem(f"{FORGOTTEN} stands for everybody who was forgotten.", exit_code=2)
    return address
