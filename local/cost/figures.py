"""Prices, quotas and measurements, each with where it is from. All that is not computed stands here.

Prices are those of us-east-1 on demand, in US dollars, without any free tier. They change: look at the source. What
was published was checked in November 2026 as `checked` says; AWS's price pages fill in their tables in a browser only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

Kind = Literal["published", "measured here", "assumed"]
# How what was published was checked. A figure that nobody could check says so.
Checked = Literal["in a copy of that page", "by others who name it, 2025 and 2026", "not verified here"]


@dataclass(frozen=True)
class Figure:
    """A number and where it is from.

    Attributes:
        value: the number.
        what: it is.
        kind: of source.
        source: an address, how it was measured, or why it was assumed.
        checked: of what was published, how it was checked.
    """

    value: Decimal
    what: str
    kind: Kind
    source: str
    checked: Checked | None = None


def _on_page(value: str, what: str, address: str) -> Figure:
    return Figure(Decimal(value), what, "published", address, "in a copy of that page")


def _by_others(value: str, what: str, address: str) -> Figure:
    return Figure(Decimal(value), what, "published", address, "by others who name it, 2025 and 2026")


def _measured(value: str, what: str, how: str) -> Figure:
    return Figure(Decimal(value), what, "measured here", how)


def _assumed(value: str, what: str, why: str) -> Figure:
    return Figure(Decimal(value), what, "assumed", why)


_STEP_FUNCTIONS: Final = "https://aws.amazon.com/step-functions/pricing/"
_LAMBDA: Final = "https://aws.amazon.com/lambda/pricing/"
_CLOUDWATCH: Final = "https://aws.amazon.com/cloudwatch/pricing/"
_RDS: Final = "https://aws.amazon.com/rds/mariadb/pricing/"
_VPC: Final = "https://aws.amazon.com/vpc/pricing/"
_SECRETS: Final = "https://aws.amazon.com/secrets-manager/pricing/"
_STATES_QUOTAS: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
_EVENTBRIDGE: Final = "https://aws.amazon.com/eventbridge/pricing/"
_STRIPE_LIMITS: Final = "https://docs.stripe.com/rate-limits"

# --- Prices ---------------------------------------------------------------------------------------------------------
TRANSITION: Final = _on_page("0.000025", "a state transition", _STEP_FUNCTIONS)
INVOCATION: Final = _by_others("0.0000002", "an invocation of a function", _LAMBDA)
GIGABYTE_SECOND: Final = _by_others("0.0000166667", "a function's GB-second, x86", _LAMBDA)
SNAPSHOT_SECOND: Final = _by_others("0.0000015046", "a GB-second of a kept snapshot (SnapStart)", _LAMBDA)
SNAPSHOT_RESTORED: Final = _by_others("0.0001397998", "a GB restored from a snapshot", _LAMBDA)
EVENT: Final = _by_others("0.000001", "a partner's or a custom event, to 64 KB", _EVENTBRIDGE)
API_REQUEST: Final = _by_others("0.000001", "a request to an HTTP API", "https://aws.amazon.com/api-gateway/pricing/")
TABLE_WRITE: Final = _by_others(
    "0.000000625", "a write on demand", "https://aws.amazon.com/dynamodb/pricing/on-demand/"
)
NOTIFICATION: Final = _by_others("0.0000205", "a message with one e-mail", "https://aws.amazon.com/sns/pricing/")
LOG_GIGABYTE: Final = _by_others("0.50", "a GB of logs taken in", _CLOUDWATCH)
ALARM_METRIC: Final = _by_others("0.10", "a metric in an alarm, a month", _CLOUDWATCH)
CUSTOM_METRIC: Final = _by_others("0.30", "a metric of our own, a month", _CLOUDWATCH)
DASHBOARD: Final = _by_others("3.00", "the dashboard, a month", _CLOUDWATCH)
TRACE: Final = _by_others("0.000005", "a recorded trace", "https://aws.amazon.com/xray/pricing/")
SECRET: Final = _by_others("0.40", "a secret, a month", _SECRETS)
SECRET_READ: Final = _by_others("0.000005", "a secret read", _SECRETS)
DATABASE_HOUR: Final = _by_others("0.016", "an hour of db.t4g.micro, one zone", _RDS)
DATABASE_GIGABYTE: Final = _by_others("0.115", "a GB of gp3 storage, a month", _RDS)
NAT_HOUR: Final = _by_others("0.045", "an hour of a NAT gateway", _VPC)
NAT_GIGABYTE: Final = _by_others("0.045", "a GB through a NAT gateway", _VPC)
ADDRESS_HOUR: Final = _by_others("0.005", "an hour of its public address", _VPC)
TRANSFER_GIGABYTE: Final = _by_others(
    "0.09", "a GB from AWS to the internet", "https://aws.amazon.com/ec2/pricing/on-demand/"
)

# --- What a payment brings with it ------------------------------------------------------------------------------------
CHECKOUTS: Final = _assumed("2.5", "checkouts for each payment", "six of ten buyers leave, as in `make sale`")
API_REQUESTS: Final = _assumed("10", "requests of the API for each checkout", "tickets seen, order polled")
API_BYTES: Final = _assumed("2000", "bytes of the API's answer, with its headers", "a list of tickets is the longest")
STRIPE_BYTES: Final = _assumed(
    "20000", "bytes to and from Stripe for each checkout", "a handshake, a Checkout Session, at times its end"
)
PAYMENTS_A_MONTH: Final = (1_000, 100_000, 10_000_000)
PAYMENTS_A_SECOND: Final = (10, 100, 1_000)
REFUNDS: Final = _assumed("0.03", "refunds for each payment", "nobody has counted this shop's")
REFUND_EVENTS: Final = _assumed("3", "events of a refund", "charge.refunded, refund.created and refund.updated once")
DISPUTES: Final = _assumed("0.001", "disputes for each payment", "the same")
DISPUTE_EVENTS: Final = _assumed("4", "events of a dispute", "created, funds_withdrawn, updated and closed once")
FAILURES: Final = _assumed("0.001", "payments that end in an alert, of all", "more would be a fault")

# --- Measured ---------------------------------------------------------------------------------------------------------
TASK_SECONDS: Final = _measured("0.005", "a warm task of the workflow, one whole processor", "`make bench` handlers")
CHECKOUT_SECONDS: Final = _measured(
    "0.010", "a warm checkout without Stripe, one whole processor", "`make bench` checkout"
)
STRIPE_SECONDS: Final = _assumed("0.5", "Stripe's answer to a new Checkout Session", "no test here asks Stripe")
READ_SECONDS: Final = _measured("0.003", "any other request of the API, one whole processor", "`make bench` handlers")
HOT_ROW: Final = _measured("300", "payments of one and the same ticket", "`make bench` throughput, its budget")
LOG_BYTES: Final = _assumed("1200", "bytes of log of an invocation", "our line and Lambda's own three, as JSON")
STATE_LOG_BYTES: Final = _assumed("800", "bytes of log of a transition at level ALL", "two entries without data")
FULL_PROCESSOR_MEGABYTES: Final = _by_others(
    "1769",
    "memory at which a function has a whole processor",
    "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
)
TRACED: Final = _on_page(
    "0.05", "invocations that are traced", "https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html"
)

# --- Quotas, each of an account and region unless said ----------------------------------------------------------------
EXECUTIONS_A_SECOND: Final = _on_page(
    "300", "executions started (150 outside the three largest regions)", _STATES_QUOTAS
)
TRANSITIONS_A_SECOND: Final = _on_page(
    "5000", "state transitions (800 outside the three largest regions, less in a new account)", _STATES_QUOTAS
)
CONCURRENCY: Final = _on_page(
    "1000",
    "functions at once (less in a new account)",
    "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
)
STRIPE_REQUESTS: Final = _on_page("100", "requests of Stripe in live mode", _STRIPE_LIMITS)
STRIPE_ENDPOINT: Final = _on_page("25", "requests of one of Stripe's endpoints", _STRIPE_LIMITS)
BYTES_A_CONNECTION: Final = _on_page(
    "25165760",
    "bytes of the server's memory for each connection that it takes",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections",
)
MEMORY_OF_MICRO: Final = _by_others(
    "1073741824", "bytes of memory of db.t4g.micro", "https://aws.amazon.com/rds/instance-types/"
)
EVENTS_A_SECOND: Final = _on_page(
    "18750",
    "targets invoked by rules (4,500 and less in smaller regions)",
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html",
)


def all_figures() -> list[tuple[str, Figure]]:
    """Give each figure with its name in this module, in the order of the module."""
    return [(name, value) for name, value in globals().items() if isinstance(value, Figure)]
