"""AlertTable: alerts of failures, stored before they go out: none is lost, and many of one error become a summary.

The state machine writes to it (state `AlertOnce`); this module does the same for alerts that Python code sends.

Two kinds of items, by their key:
- `alert#…`: one alert. `is_told` is set when it is published; the summary sends what is not marked.
- `hour#ERROR#2026-11-28T20`: which execution came first with an error in an hour. It alerts at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

# DynamoDB deletes items by itself some time after this; the state machine says the same in its `:expires`.
_KEPT: Final = timedelta(days=7)


class DynamoDb(Protocol):
    """What this module needs of boto3's client."""

    def update_item(self, **request: object) -> Mapping[str, Any]:
        """Change one item, or make it."""

    def scan(self, **request: object) -> Mapping[str, Any]:
        """Give a page of items."""


@dataclass(frozen=True, kw_only=True)
class NotedAlert:
    """One alert; all texts are free of the buyer.

    Attributes:
        key: `alert#…`; two alerts with the same key are sent once.
        execution_arn: the execution that it is about, and that sends it.
        error: its name, e.g. `DatabaseUnavailable`; a summary has the alerts of one error.
        step: the state that failed, or `unknown`.
        order: the order's number, or `unknown`.
        what_happened, what_to_do: sentences.
        claimed_at: when it was stored, ISO 8601 in UTC.
    """

    key: str
    execution_arn: str
    error: str
    step: str
    order: str
    what_happened: str
    what_to_do: str
    claimed_at: str


# Attributes in the table, by field. With underscores: DynamoDB reserves most plain words.
_ATTRIBUTES: Final = {
    "key": "alert_key",
    "execution_arn": "execution_arn",
    "error": "error_name",
    "step": "step_name",
    "order": "order_number",
    "what_happened": "what_happened",
    "what_to_do": "what_to_do",
    "claimed_at": "claimed_at",
}


class AlertOutbox:
    """The table, for whoever sends an alert and for the summary."""

    def __init__(self, client: DynamoDb, table_name: str) -> None:
        """Take boto3's client and the table's name."""
        self._client = client
        self._table_name = table_name

    def claim(self, alert: NotedAlert) -> bool:
        """Store an alert; return whether its execution is the one that sends it (also when this is repeated)."""
        fields = dataclasses.asdict(alert)
        once = {"execution_arn", "claimed_at"}
        sets = [
            f"{_ATTRIBUTES[name]} = " + (f"if_not_exists({_ATTRIBUTES[name]}, :{name})" if name in once else f":{name}")
            for name in fields
            if name != "key"
        ]
        kept = self._update(
            alert.key,
            f"SET {', '.join(sets)}, is_told = if_not_exists(is_told, :no), expires_at = :expires",
            {f":{name}": {"S": value} for name, value in fields.items() if name != "key"} | {":no": {"BOOL": False}},
        )
        return bool(kept["execution_arn"]["S"] == alert.execution_arn)

    def is_first(self, alert: NotedAlert) -> bool:
        """Return whether no other execution has had this error in this hour."""
        kept = self._update(
            f"hour#{alert.error}#{datetime.now(UTC):%Y-%m-%dT%H}",
            "SET first_execution = if_not_exists(first_execution, :execution), expires_at = :expires",
            {":execution": {"S": alert.execution_arn}},
        )
        return bool(kept["first_execution"]["S"] == alert.execution_arn)

    def note_sent(self, key: str) -> None:
        """Mark an alert as sent."""
        self._update(key, "SET is_told = :yes, expires_at = :expires", {":yes": {"BOOL": True}})

    def not_sent(self, *, until: datetime) -> Iterator[NotedAlert]:
        """Yield the alerts that were stored until then and not sent, in no order."""
        request: dict[str, object] = {
            "TableName": self._table_name,
            "FilterExpression": "is_told = :no AND claimed_at <= :until",
            "ExpressionAttributeValues": {":no": {"BOOL": False}, ":until": {"S": _iso(until)}},
            "ConsistentRead": True,
        }
        while True:
            page = self._client.scan(**request)
            for item in page["Items"]:
                yield NotedAlert(
                    **{name: item.get(attribute, {}).get("S", "unknown") for name, attribute in _ATTRIBUTES.items()}
                )
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _update(self, key: str, expression: str, values: Mapping[str, object]) -> Mapping[str, Any]:
        expires = {":expires": {"N": str(int((datetime.now(UTC) + _KEPT).timestamp()))}}
        answer = self._client.update_item(
            TableName=self._table_name,
            Key={"alert_key": {"S": key}},
            UpdateExpression=expression,
            ExpressionAttributeValues={**values, **expires},
            ReturnValues="ALL_NEW",
        )
        attributes: Mapping[str, Any] = answer["Attributes"]
        return attributes


def now() -> str:
    """Give the time as it stands in the table."""
    return _iso(datetime.now(UTC))


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def client() -> DynamoDb:
    """Give boto3's client of DynamoDB."""
    import boto3  # noqa: PLC0415 -- slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    made: DynamoDb = boto3.session.Session().client(
        "dynamodb",
        config=Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}),
    )
    return made
