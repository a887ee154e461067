"""The dead-letter queue takes what this stack's rules lose, and from nobody else."""

from __future__ import annotations

from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from tests.conftest import TEMPLATE

RESOURCES: Final[dict[str, Any]] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]


def rules() -> dict[str, str | None]:
    """The rules whose events may end in the queue, each with the condition under which it is there."""
    return {
        name: found.get("Condition")
        for name, found in RESOURCES.items()
        if found["Type"] == "AWS::Events::Rule"
        for target in found["Properties"]["Targets"]
        if target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["EventDeadLetterQueue", "Arn"]}}
    }


def test_the_queue_lets_in_eventbridge_on_behalf_of_the_rules_that_there_are() -> None:
    policy = RESOURCES["EventDeadLetterQueuePolicy"]["Properties"]
    assert policy["Queues"] == [{"Ref": "EventDeadLetterQueue"}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == {"Fn::GetAtt": ["EventDeadLetterQueue", "Arn"]}
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Allow",
        {"Service": "events.amazonaws.com"},
        "sqs:SendMessage",
    )
    [(operator, condition)] = statement["Condition"].items()
    assert operator == "ArnLike"
    assert list(condition) == ["aws:SourceArn"]
    # A reference to a rule that is not there would fail the deployment.
    expected = [
        {"Fn::GetAtt": [name, "Arn"]}
        if only_if is None
        else {"Fn::If": [only_if, {"Fn::GetAtt": [name, "Arn"]}, {"Ref": "AWS::NoValue"}]}
        for name, only_if in rules().items()
    ]
    assert len(expected) == 2
    assert sorted(map(str, condition["aws:SourceArn"])) == sorted(map(str, expected))
