"""Publishes alerts to the operators' topic, in the form that the state machine's alerts have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handlers.settings import required

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# SNS takes subjects of less than 100 characters, messages of 256 KiB.
_MOST_SUBJECT: Final = 99
_MOST_STACK: Final = 30
_MOST_MESSAGE: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class AlertMail:
    """One alert, as it goes out.

    Attributes:
        name: what it is: for the subject, filters and the runbook's entry.
        about: what follows the name in the subject: `order 12`.
        lines: what the message says first; `place` adds stack and runbook.
        order, step: for filters.
    """

    name: str
    about: str
    lines: Sequence[str]
    order: str
    step: str


def publish(client: SNSClient, mail: AlertMail) -> None:
    """Publish an alert. Raises botocore's errors."""
    stack, region = required("POWERTOOLS_SERVICE_NAME"), required("AWS_REGION")
    subject = f"Cachao {stack[:_MOST_STACK]}: {mail.name} - {mail.about}"
    place = [
        f"Stack: {stack} in {region}. Run each command with: --stack {stack} --region {region}",
        f"Runbook: {required('RUNBOOK_URL')}#{mail.name.lower().replace('.', '')}",
    ]
    values = {"error": mail.name, "order": mail.order, "step": mail.step, "stack": stack}
    values["livemode"] = required("STRIPE_LIVEMODE")
    client.publish(
        TopicArn=required("ALERT_TOPIC_ARN"),
        Subject="".join(c if " " <= c <= "~" else "?" for c in subject)[:_MOST_SUBJECT],
        Message="\n".join([*mail.lines, *place])[:_MOST_MESSAGE],
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in values.items()},
    )


def console_link(execution_arn: str) -> str:
    """Give the address of an execution in the console."""
    region = execution_arn.split(":")[3]
    return f"https://{required('CONSOLE_HOST')}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def client() -> SNSClient:
    """Give boto3's client of SNS."""
    import boto3  # noqa: PLC0415 -- slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    return boto3.client(
        "sns", config=Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    )
