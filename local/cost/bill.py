"""What a month costs: each line a quantity, a price and their product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from local.cost import figures
from local.cost.figures import Figure
from local.cost.usage import Share, total

_HOURS_A_MONTH: Final = Decimal(730)
_GIGABYTE: Final = Decimal(10**9)
_MEGABYTES: Final = Decimal(1024)
_SECONDS_A_MONTH: Final = _HOURS_A_MONTH * 3600
# Powertools keeps a secret for five minutes (functions/handlers/settings.py); so does each of these environments.
_SECRET_SECONDS: Final = Decimal(300)


@dataclass(frozen=True)
class Item:
    """A line of the bill."""

    name: str
    quantity: Decimal
    unit: Figure

    @property
    def dollars(self) -> Decimal:
        """Quantity times price."""
        return self.quantity * self.unit.value


def bill(template: Mapping[str, Any], network: Mapping[str, Any], shares: Sequence[Share], payments: int) -> list[Item]:
    """Give the bill of a month with so many payments.

    Args:
        template: the shop's.
        network: deploy/network-and-database.yaml, with its defaults.
        shares: what a payment brings with it.
        payments: in the month.
    """
    items = [*_by_payment(template, shares, Decimal(payments)), *_by_month(template, network)]
    return sorted(items, key=lambda item: -item.dollars)


def _by_payment(template: Mapping[str, Any], shares: Sequence[Share], payments: Decimal) -> Iterator[Item]:
    executions = payments * sum((share.executions for share in shares), Decimal(0))
    transitions = payments * total(shares, "transitions")
    tasks = payments * total(shares, "invocations")
    requests = payments * figures.CHECKOUTS.value * figures.API_REQUESTS.value
    yield Item("Step Functions: transitions", transitions, figures.TRANSITION)
    yield Item("Lambda: invocations", tasks + requests, figures.INVOCATION)
    yield Item(
        "Lambda: time", payments * function_seconds(template, shares) * _memory(template), figures.GIGABYTE_SECOND
    )
    yield Item("EventBridge: events", executions, figures.EVENT)
    yield Item("API Gateway: requests", requests, figures.API_REQUEST)
    yield Item(
        "API Gateway: data to buyers, GB", requests * figures.API_BYTES.value / _GIGABYTE, figures.TRANSFER_GIGABYTE
    )
    to_stripe = payments * figures.CHECKOUTS.value * figures.STRIPE_BYTES.value / _GIGABYTE
    yield Item("VPC: data through the NAT gateway, GB", to_stripe, figures.NAT_GIGABYTE)
    yield Item("DynamoDB: writes", payments * total(shares, "writes"), figures.TABLE_WRITE)
    yield Item("SNS: alerts", payments * total(shares, "messages"), figures.NOTIFICATION)
    log = (tasks + requests) * figures.LOG_BYTES.value + transitions * figures.STATE_LOG_BYTES.value
    yield Item("CloudWatch: logs taken in, GB", log / _GIGABYTE, figures.LOG_GIGABYTE)
    yield Item("X-Ray: traces", (tasks + requests + executions) * figures.TRACED.value, figures.TRACE)


def _by_month(template: Mapping[str, Any], network: Mapping[str, Any]) -> Iterator[Item]:
    resources = template["Resources"]
    defaults = {name: parameter.get("Default") for name, parameter in network["Parameters"].items()}
    yield Item("RDS: the database", _HOURS_A_MONTH, figures.DATABASE_HOUR)
    yield Item("RDS: storage, GB", Decimal(str(defaults["StorageGigabytes"])), figures.DATABASE_GIGABYTE)
    gateways = Decimal(str(defaults["NatGateways"]))
    yield Item("VPC: NAT gateway", gateways * _HOURS_A_MONTH, figures.NAT_HOUR)
    yield Item("VPC: its address", gateways * _HOURS_A_MONTH, figures.ADDRESS_HOUR)
    yield Item("CloudWatch: metrics in alarms", Decimal(_alarm_metrics(resources)), figures.ALARM_METRIC)
    yield Item("CloudWatch: metrics of our own", Decimal(len(own_metrics(resources))), figures.CUSTOM_METRIC)
    yield Item("CloudWatch: dashboard", Decimal(1), figures.DASHBOARD)
    secrets = [
        resource for resource in network["Resources"].values() if resource["Type"] == "AWS::SecretsManager::Secret"
    ]
    # The administrator's is RDS's own; Stripe's is made by hand.
    yield Item("Secrets Manager: secrets", Decimal(len(secrets) + 2), figures.SECRET)
    functions = sum(1 for resource in resources.values() if resource["Type"] == "AWS::Serverless::Function")
    reads = Decimal(functions) * _SECONDS_A_MONTH / _SECRET_SECONDS
    yield Item("Secrets Manager: reads, an environment a function", reads, figures.SECRET_READ)


def function_seconds(template: Mapping[str, Any], shares: Sequence[Share]) -> Decimal:
    """Give the seconds that all functions run for one payment.

    Measured with a whole processor; a function has the part of one that its memory buys, so its own work takes so
    many times as long. Waiting for Stripe takes what it takes.
    """
    slower = max(Decimal(1), figures.FULL_PROCESSOR_MEGABYTES.value / (_memory(template) * _MEGABYTES))
    others = figures.CHECKOUTS.value * (figures.API_REQUESTS.value - 1)
    work = (
        total(shares, "invocations") * figures.TASK_SECONDS.value
        + figures.CHECKOUTS.value * figures.CHECKOUT_SECONDS.value
        + others * figures.READ_SECONDS.value
    )
    return work * slower + figures.CHECKOUTS.value * figures.STRIPE_SECONDS.value


def snapshots(template: Mapping[str, Any]) -> tuple[int, Decimal, Decimal]:
    """Give what SnapStart costs: its functions, dollars a month for their snapshots, dollars a worker's start."""
    with_snapshots = sum("SnapStart" in one.get("Properties", {}) for one in template["Resources"].values())
    kept = with_snapshots * _memory(template) * _SECONDS_A_MONTH * figures.SNAPSHOT_SECOND.value
    return with_snapshots, kept, _memory(template) * figures.SNAPSHOT_RESTORED.value


def _memory(template: Mapping[str, Any]) -> Decimal:
    """Memory of a function in GB."""
    return Decimal(template["Globals"]["Function"]["MemorySize"]) / _MEGABYTES


def _alarm_metrics(resources: Mapping[str, Any]) -> int:
    """Each metric that an alarm looks at costs; one without `Metrics` looks at one."""
    alarms = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    return sum(
        len([m for m in alarm["Metrics"] if "Expression" not in m]) if "Metrics" in alarm else 1 for alarm in alarms
    )


def own_metrics(resources: Mapping[str, Any]) -> set[str]:
    """Give the names of our own metrics: those in the namespace of the alarms and of the dashboard."""
    text = str(resources)
    found = {name.split('"')[0] for name in text.split('"Cachao","')[1:]}
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and properties.get("Namespace") == "Cachao":
            found.add(properties["MetricName"])
    return found
