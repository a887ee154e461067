"""Prices, quotas and measurements, each with where it is from. All that is not computed stands here.

Prices are those of us-east-1 on demand, in US dollars, without any free tier. They change: look at the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True)
class Figure:
    """A number with its source: an address, `measured here` and how, or `assumed` and why."""

    value: Decimal
    what: str
    source: str


def _figure(value: str, what: str, source: str) -> Figure:
    return Figure(Decimal(value), what, source)


_STEP_FUNCTIONS: Final = "https://aws.amazon.com/step-functions/pricing/"
_LAMBDA: Final = "https://aws.amazon.com/lambda/pricing/"
_CLOUDWATCH: Final = "https://aws.amazon.com/cloudwatch/pricing/"
_RDS: Final = "https://aws.amazon.com/rds/mariadb/pricing/"
_VPC: Final = "https://aws.amazon.com/vpc/pricing/"
_SECRETS: Final = "https://aws.amazon.com/secrets-manager/pricing/"
_STATES_QUOTAS: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
_BENCH: Final = "measured here, `make bench`"

# --- Prices ---------------------------------------------------------------------------------------------------------
TRANSITION: Final = _figure("0.000025", "a state transition", _STEP_FUNCTIONS)
INVOCATION: Final = _figure("0.0000002", "an invocation of a function", _LAMBDA)
GIGABYTE_SECOND: Final = _figure("0.0000166667", "a function's GB-second, x86", _LAMBDA)
EVENT: Final = _figure(
    "0.000001", "a partner's or a custom event, to 64 KB", "https://aws.amazon.com/eventbridge/pricing/"
)
API_REQUEST: Final = _figure("0.000001", "a request to an HTTP API", "https://aws.amazon.com/api-gateway/pricing/")
TABLE_WRITE: Final = _figure("0.000000625", "a write on demand", "https://aws.amazon.com/dynamodb/pricing/on-demand/")
NOTIFICATION: Final = _figure("0.0000205", "a message with one e-mail", "https://aws.amazon.com/sns/pricing/")
LOG_GIGABYTE: Final = _figure("0.50", "a GB of logs taken in", _CLOUDWATCH)
ALARM_METRIC: Final = _figure("0.10", "a metric in an alarm, a month", _CLOUDWATCH)
CUSTOM_METRIC: Final = _figure("0.30", "a metric of our own, a month", _CLOUDWATCH)
DASHBOARD: Final = _figure("3.00", "the dashboard, a month", _CLOUDWATCH)
TRACE: Final = _figure("0.000005", "a recorded trace", "https://aws.amazon.com/xray/pricing/")
SECRET: Final = _figure("0.40", "a secret, a month", _SECRETS)
SECRET_READ: Final = _figure("0.000005", "a secret read", _SECRETS)
DATABASE_HOUR: Final = _figure("0.016", "an hour of db.t4g.micro, one zone", _RDS)
DATABASE_GIGABYTE: Final = _figure("0.115", "a GB of gp3 storage, a month", _RDS)
NAT_HOUR: Final = _figure("0.045", "an hour of a NAT gateway", _VPC)
ADDRESS_HOUR: Final = _figure("0.005", "an hour of its public address", _VPC)

# --- What a payment brings with it ------------------------------------------------------------------------------------
CHECKOUTS: Final = _figure("2.5", "checkouts for each payment", "assumed: six of ten buyers leave, as in `make sale`")
API_REQUESTS: Final = _figure("10", "requests of the API for each checkout", "assumed: tickets seen, order polled")
PAYMENTS_A_MONTH: Final = (1_000, 100_000, 10_000_000)
PAYMENTS_A_SECOND: Final = (10, 100, 1_000)
REFUNDS: Final = _figure("0.03", "refunds for each payment", "assumed")
REFUND_EVENTS: Final = _figure(
    "3", "events of a refund", "https://docs.stripe.com/refunds: charge.refunded, refund.created, refund.updated"
)
DISPUTES: Final = _figure("0.001", "disputes for each payment", "assumed")
DISPUTE_EVENTS: Final = _figure(
    "4",
    "events of a dispute",
    "https://docs.stripe.com/disputes/how-disputes-work: created, withdrawn, updated, closed",
)
FAILURES: Final = _figure("0.001", "payments that end in an alert, of all", "assumed")

# --- Measured ---------------------------------------------------------------------------------------------------------
TASK_SECONDS: Final = _figure("0.005", "a warm task of the workflow, one whole processor", f"{_BENCH} handlers")
CHECKOUT_SECONDS: Final = _figure("0.010", "a warm checkout without Stripe, one whole processor", f"{_BENCH} checkout")
STRIPE_SECONDS: Final = _figure("0.5", "Stripe's answer to a new Checkout Session", "assumed")
READ_SECONDS: Final = _figure("0.003", "any other request of the API, one whole processor", f"{_BENCH} handlers")
HOT_ROW: Final = _figure("300", "payments of one and the same ticket", f"{_BENCH} throughput, its budget")
LOG_BYTES: Final = _figure("1200", "bytes of log of an invocation", "assumed: our line and Lambda's own three, as JSON")
STATE_LOG_BYTES: Final = _figure(
    "800", "bytes of log of a transition at level ALL", "assumed: two entries without data"
)
FULL_PROCESSOR_MEGABYTES: Final = _figure(
    "1769",
    "memory at which a function has a whole processor",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
)
TRACED: Final = _figure(
    "0.05", "invocations that are traced", "https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html"
)

# --- Quotas, each of an account and region unless said ----------------------------------------------------------------
EXECUTIONS_A_SECOND: Final = _figure(
    "300", "executions started (150 outside the three largest regions)", _STATES_QUOTAS
)
TRANSITIONS_A_SECOND: Final = _figure(
    "5000", "state transitions (800 outside the three largest regions)", _STATES_QUOTAS
)
CONCURRENCY: Final = _figure(
    "1000", "functions at once", "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
)
STRIPE_REQUESTS: Final = _figure("100", "requests of Stripe in live mode", "https://docs.stripe.com/rate-limits")
STRIPE_ENDPOINT: Final = _figure("25", "requests of one of Stripe's endpoints", "https://docs.stripe.com/rate-limits")
BYTES_A_CONNECTION: Final = _figure(
    "25165760",
    "bytes of the server's memory for each connection that it takes",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections",
)
MEMORY_OF_MICRO: Final = _figure(
    "1073741824", "bytes of memory of db.t4g.micro", "https://aws.amazon.com/rds/instance-types/"
)
EVENTS_A_SECOND: Final = _figure(
    "18750",
    "targets invoked by rules (4,500 and less in smaller regions)",
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html",
)


def all_figures() -> list[tuple[str, Figure]]:
    """Give each figure with its name in this module, in the order of the module."""
    return [(name, value) for name, value in globals().items() if isinstance(value, Figure)]
