"""Whether somebody gets the alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from cachao.aws.environment import Environment
from cachao.doctor.finding import Finding, fine, not_local
from cachao.doctor.guarding import guarded
from cachao.view.output import pluralize

LINK: Final = "Alerts"
_PENDING: Final = "PendingConfirmation"
_LOOK_BACK: Final = timedelta(days=1)


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the alert topic has a confirmed subscriber, and whether its messages arrived."""
    topic = environment.output("AlertTopicArn")
    yield from guarded(LINK, _check_subscribers(environment, topic))
    yield from guarded(LINK, _check_delivery(environment, topic))


def _check_subscribers(environment: Environment, topic: str) -> Iterator[Finding]:
    pages = environment.client("sns").get_paginator("list_subscriptions_by_topic")
    subscriptions = [found for page in pages.paginate(TopicArn=topic) for found in page["Subscriptions"]]
    confirmed = [found for found in subscriptions if found["SubscriptionArn"] not in {_PENDING, "Deleted"}]
    if not subscriptions:
        yield _broken("nobody_subscribed", "Nobody subscribes to the alert topic.", f"Subscribe:\n{_subscribe(topic)}")
    elif not confirmed:
        waiting = ", ".join(f"{found['Protocol']} {_masked(found['Endpoint'])}" for found in subscriptions)
        yield _broken(
            "subscription_unconfirmed",
            f"No subscription to the alert topic is confirmed: {waiting}.",
            f"Click the link in AWS's e-mail, valid for 3 days. After that, subscribe again:\n{_subscribe(topic)}",
        )
    else:
        yield fine(LINK, f"{len(confirmed)} confirmed: {', '.join(sorted({f['Protocol'] for f in confirmed}))}.")


def _check_delivery(environment: Environment, topic: str) -> Iterator[Finding]:
    now = datetime.now(UTC)
    answer = environment.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="NumberOfNotificationsFailed",
        Dimensions=[{"Name": "TopicName", "Value": topic.rpartition(":")[2]}],
        StartTime=now - _LOOK_BACK,
        EndTime=now,
        Period=int(_LOOK_BACK.total_seconds()),
        Statistics=["Sum"],
    )
    failed = sum(point["Sum"] for point in answer.get("Datapoints", []))
    if failed:
        yield _broken(
            "alerts_not_delivered",
            f"{pluralize(int(failed), 'alert')} of the last 24 hours could not be delivered.",
            f"Does each subscription's address still exist?\n{_subscriptions(topic)}\nWhat the alerts said:"
            "\ncachao executions --failed --since 2d",
        )
    elif environment.is_local:
        yield not_local(LINK, "The local AWS does not measure deliveries.")


def _subscribe(topic: str) -> str:
    return f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint YOU@EXAMPLE.COM"


def _subscriptions(topic: str) -> str:
    return f"aws sns list-subscriptions-by-topic --topic-arn {topic}"


def _masked(endpoint: str) -> str:
    name, at, domain = endpoint.partition("@")
    return f"{name[:1]}…{at}{domain}" if at else endpoint


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo)
