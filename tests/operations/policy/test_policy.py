"""`cachao policy`: what it prints. That it is what the commands need is shown beside them (test_every_command.py)."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Final

import pytest

from cachao.aws.environment import Environment
from cachao.policy import places
from cachao.policy.document import document
from cachao.policy.needs import NEEDS
from local.aws.cloud import LocalCloud
from tests.operations.conftest import Cachao
from tests.operations.every_command import SCENARIOS, commands

# Which actions there are, and of what kind of resource: AWS's own list, as cfn-lint has it.
AWS: Final = json.loads((files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8"))


def test_every_command_is_written_down_and_nothing_else() -> None:
    assert {re.sub(r" --.*", "", said) for said in NEEDS} == set(commands())
    assert set(SCENARIOS) == set(NEEDS)


@pytest.mark.parametrize("said", NEEDS)
def test_every_statement_is_one_that_iam_knows(said: str) -> None:
    for statement in document(NEEDS[said], places.imagined())["Statement"]:
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            kinds = AWS[service]["Actions"][name.lower()].get("Resources", [])
            forms = [form for kind in kinds for form in AWS[service]["Resources"].get(kind, {}).get("ARNFormats", [])]
            if not kinds:
                assert statement["Resource"] == ["*"], action
            for arn in statement["Resource"] if forms else []:
                assert any(re.fullmatch(_pattern(form), arn) for form in forms), (action, arn)


def _pattern(form: str) -> str:
    """A regular expression of AWS's form of an ARN."""
    return re.sub(r"\$\{(?:Partition|Region|Account)\}", r"[a-zA-Z0-9-]+", form)


def printed(cachao: Cachao, *words: str) -> dict[str, set[str]]:
    answer = cachao("policy", *words)
    assert answer.exit_code == 0, answer.notes
    assert answer.data["Version"] == "2012-10-17"
    return {action: set(one["Resource"]) for one in answer.data["Statement"] for action in one["Action"]}


def test_without_a_stack_it_has_names_to_be_replaced_and_asks_nobody(
    cachao: Cachao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "client", None)
    found = printed(cachao, "take-back", "refund --seats")
    assert found == {
        "cloudformation:DescribeStacks": {"arn:aws:cloudformation:REGION:ACCOUNT:stack/STACK/*"},
        "cloudformation:DescribeStackResource": {"arn:aws:cloudformation:REGION:ACCOUNT:stack/STACK/*"},
        "lambda:InvokeFunction": {"arn:aws:lambda:REGION:ACCOUNT:function:STACK-CorrectOrderFunction-*"},
    }


def test_a_command_is_all_its_ways_and_each_way_is_one(cachao: Cachao) -> None:
    in_all = printed(cachao, "replay")
    assert in_all.keys() - printed(cachao, "replay --order").keys() >= {"sqs:DeleteMessage"}
    assert len(in_all["lambda:InvokeFunction"]) == 1
    assert printed(cachao, "buyer") == printed(cachao, "buyer forget")
    assert printed(cachao, "--all").keys() >= in_all.keys()


def test_of_a_stack_it_has_the_stacks_own_names(cachao: Cachao, cloud: LocalCloud) -> None:
    found = printed(cachao, "doctor", "replay", "--local")
    ids = cloud.deployment.physical_ids
    assert found["states:StartExecution"] == {cloud.deployment.outputs["StateMachineArn"]}
    assert found["sns:ListSubscriptionsByTopic"] == {ids["AlertTopic"]}
    assert not any("STACK" in arn or "REGION" in arn for arns in found.values() for arn in arns)


@pytest.mark.parametrize("words", [[], ["--all", "doctor"], ["nonsense"]])
def test_what_is_no_command_is_refused_with_those_that_there_are(cachao: Cachao, words: list[str]) -> None:
    answer = cachao("policy", *words)
    assert (answer.exit_code, answer.text) == (2, "")
    assert "refund --seats" in answer.notes
