"""What AWS refuses in deploy/*.yaml only when it is deployed, and cfn-lint does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

TEMPLATES: Final = sorted((Path(__file__).parents[2] / "deploy").glob("*.yaml"))
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html: no apostrophe, no quotation mark.
EC2: Final = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}"
# https://docs.aws.amazon.com/waf/latest/APIReference/API_WebACL.html
WAF: Final = r"[\w+=:#@/\-,.][\w+=:#@/\-,.\s]+[\w+=:#@/\-,.]"


def described(resources: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Give the descriptions of which AWS takes not every character, each with what it takes."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::EC2::SecurityGroup":
                rules = [*properties.get("SecurityGroupIngress", []), *properties.get("SecurityGroupEgress", [])]
                yield from (
                    (text, EC2) for text in (properties["GroupDescription"], *(r["Description"] for r in rules))
                )
            case "AWS::WAFv2::WebACL":
                yield properties["Description"], WAF


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_aws_takes_each_description(template: Path) -> None:
    found = [*described(yaml_parse(template.read_text(encoding="utf-8"))["Resources"])]
    assert found
    for text, allowed in found:
        said = text["Fn::Sub"].replace("${AWS::StackName}", "cachao-1") if isinstance(text, dict) else text
        assert re.fullmatch(allowed, said), said


def test_an_apostrophe_is_noticed() -> None:
    rule = {"Description": "The shop's functions"}
    group = {"GroupDescription": "The database", "SecurityGroupIngress": [rule]}
    resources = {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": group}}
    assert [bool(re.fullmatch(allowed, text)) for text, allowed in described(resources)] == [True, False]
