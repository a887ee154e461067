"""Which limit a rate of payments meets first, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.cost import figures
from local.cost.bill import function_seconds
from local.cost.usage import Share, total


@dataclass(frozen=True)
class Limit:
    """A limit, and how much of it one payment a second takes.

    Attributes:
        name: of the limit.
        allowed: how much a second, or at once.
        of_one: what a payment a second takes of it.
        source: where the limit is from.
        then: what happens beyond it.
        advice: what to do.
    """

    name: str
    allowed: Decimal
    of_one: Decimal
    source: str
    then: str
    advice: str

    @property
    def payments_a_second(self) -> Decimal:
        """The rate at which it is met."""
        return self.allowed / self.of_one


def limits(template: Mapping[str, Any], shares: Sequence[Share]) -> list[Limit]:
    """Give all limits that are known, the one that is met first at the top."""
    executions = sum((share.executions for share in shares), Decimal(0))
    requests = figures.CHECKOUTS.value * figures.API_REQUESTS.value
    route = template["Resources"]["HttpApi"]["Properties"]["DefaultRouteSettings"]
    seconds = function_seconds(template, shares)
    connections = figures.MEMORY_OF_MICRO.value / figures.BYTES_A_CONNECTION.value
    found = [
        Limit(
            "API Gateway: requests of each route",
            Decimal(route["ThrottlingRateLimit"]),
            # Each route has the whole of it; the most asked for takes a third of the requests, a checkout's polling.
            requests / 3,
            "template.yaml, HttpApi, ThrottlingRateLimit",
            "buyers get 429",
            "raise ThrottlingRateLimit and ThrottlingBurstLimit; the account's own limit is 10,000",
        ),
        Limit(
            "Stripe: new Checkout Sessions",
            figures.STRIPE_ENDPOINT.value,
            figures.CHECKOUTS.value,
            figures.STRIPE_ENDPOINT.source,
            "checkouts answer 502 or 503, nothing is sold twice",
            "ask Stripe for more, six weeks ahead; until then a waiting room before the checkout",
        ),
        Limit(
            "Stripe: all requests",
            figures.STRIPE_REQUESTS.value,
            # Reconciliation has a pace of its own. A checkout that is left is ended by the shop at times.
            figures.CHECKOUTS.value + (figures.CHECKOUTS.value - 1),
            figures.STRIPE_REQUESTS.source,
            "as above",
            "as above",
        ),
        Limit(
            "Step Functions: executions started",
            figures.EXECUTIONS_A_SECOND.value,
            executions,
            figures.EXECUTIONS_A_SECOND.source,
            "EventBridge tries again for 24 hours; tickets come late",
            "ask AWS for more (Service Quotas), or use one of the three largest regions",
        ),
        Limit(
            "Step Functions: transitions",
            figures.TRANSITIONS_A_SECOND.value,
            total(shares, "transitions"),
            figures.TRANSITIONS_A_SECOND.source,
            "executions wait between their steps; tickets come late",
            "ask AWS for more (Service Quotas), or use one of the three largest regions",
        ),
        Limit(
            "EventBridge: targets invoked",
            figures.EVENTS_A_SECOND.value,
            executions,
            figures.EVENTS_A_SECOND.source,
            "events are delivered late",
            "ask AWS for more (Service Quotas)",
        ),
        Limit(
            "Lambda: functions at once",
            figures.CONCURRENCY.value,
            seconds,
            figures.CONCURRENCY.source,
            "payments are tried again (WorkflowFunctionThrottlesAlarm), buyers get 503",
            "ask AWS for more; set CheckoutConcurrency, so that checkouts leave room for payments",
        ),
        Limit(
            "Database: connections of db.t4g.micro",
            connections.to_integral_value(),
            seconds,
            figures.BYTES_A_CONNECTION.source,
            "DatabaseUnavailable: payments are tried again, checkouts answer 503",
            "a larger InstanceClass (connections grow with its memory), then RDS Proxy; set CheckoutConcurrency",
        ),
        Limit(
            "Database: one hot ticket",
            figures.HOT_ROW.value,
            Decimal(1),
            figures.HOT_ROW.source,
            "transactions wait for the ticket's row; tickets come late",
            "sell an event as several ticket types; a faster disk",
        ),
    ]
    return sorted(found, key=lambda limit: limit.payments_a_second)
