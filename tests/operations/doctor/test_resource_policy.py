"""Whether a queue's policy lets EventBridge in on behalf of a rule, in the shapes in which policies are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cachao.doctor.resource_policy import accepts

RULE = "arn:aws:events:eu-west-1:123456789012:rule/aws.partner/stripe.com/ed_test_1/stack-PartnerPaymentRule-X"
OTHER = "arn:aws:events:eu-west-1:123456789012:rule/another"
EVENTS = "events.amazonaws.com"
ALLOW = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "sqs:SendMessage", "Resource": "*"}


def lets_in(*statements: dict[str, Any]) -> bool:
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)
    return accepts(policy, EVENTS, "sqs:SendMessage", source_arn=RULE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"Principal": {"Service": ["sns.amazonaws.com", EVENTS]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "123456789012"}}, False),
        ({"Action": "SQS:*"}, True),
        ({"Action": ["sqs:ReceiveMessage", "sqs:sendmessage"]}, True),
        ({"Action": "sqs:ReceiveMessage"}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_who_may_do_what(change: dict[str, Any], expected: bool) -> None:
    assert lets_in(ALLOW | change) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"ArnLike": {"aws:SourceArn": RULE}}, True),
        ({"ArnEquals": {"AWS:sourcearn": [OTHER, RULE]}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": [OTHER]}}, False),
        ({"ArnLikeIfExists": {"aws:SourceArn": OTHER}}, False),
        ({"StringEquals": {"aws:SourceArn": RULE[:-1] + "*"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, True),  # as an older version deployed it
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}, "ArnLike": {"aws:SourceArn": OTHER}}, False),
        ({"StringEquals": {"aws:SourceOrgID": "o-1"}}, True),
    ],
)
def test_on_whose_behalf(condition: dict[str, Any], expected: bool) -> None:
    assert lets_in(ALLOW | {"Condition": condition}) is expected


def test_one_statement_is_enough_and_a_denial_is_stronger() -> None:
    closed = ALLOW | {"Condition": {"ArnLike": {"aws:SourceArn": OTHER}}}
    insecure = ALLOW | {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    assert lets_in(closed, ALLOW, insecure)
    assert not lets_in(ALLOW, ALLOW | {"Effect": "Deny"})


@pytest.mark.parametrize("policy", ["", "{}", '{"Statement": []}'])
def test_without_a_policy_nobody_comes_in(policy: str) -> None:
    assert not accepts(policy, EVENTS, "sqs:SendMessage", source_arn=RULE)
