"""What the template's parameters change: the entry_points, the bus, the automatic refund."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.aws.template import Template, load_template
from tests.conftest import PARTNER_BUS, TEMPLATE
from tests.workflow.scenarios import with_automatic_refund

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:any"
GIVEN = {
    "StripeEventSourceName": PARTNER_BUS,
    "StripeLivemode": "false",
    "StripeSecretArn": SECRET,
    "DatabaseSecretArn": SECRET,
    "FrontendOrigins": "https://cachao.example,https://www.cachao.example",
    "FrontendUrl": "https://cachao.example",
    "CognitoIssuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_test",
    "CognitoClientIds": "client",
}


def loaded(**changes: str) -> Template:
    return load_template(TEMPLATE, parameters=GIVEN | changes, region="eu-west-1", account_id="123456789012")


def conditions(template: Template) -> dict[str, bool]:
    """The template's conditions, worked out as CloudFormation does."""

    functions: dict[str, Callable[[Any], Any]] = {
        "Ref": lambda name: template.parameters[name],
        "Condition": lambda name: value(template.body["Conditions"][name]),
        "Fn::Not": lambda given: not value(given[0]),
        "Fn::And": lambda given: all(map(value, given)),
        "Fn::Equals": lambda given: value(given[0]) == value(given[1]),
        "Fn::Join": lambda given: given[0].join(value(given[1])),
    }

    def value(given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        [(function, arguments)] = given.items()
        return functions[function](arguments)

    return {name: value(condition) for name, condition in template.body["Conditions"].items()}


@pytest.mark.parametrize(
    ("changes", "makes_the_bus", "has_the_source"),
    [
        ({}, True, True),
        ({"CreatePartnerEventBus": "false"}, False, True),
        ({"StripeEventSourceName": ""}, False, False),
        ({"StripeEventSourceName": "", "CreatePartnerEventBus": "false"}, False, False),
    ],
)
def test_the_partner_event_source(changes: dict[str, str], makes_the_bus: bool, has_the_source: bool) -> None:
    template = loaded(**changes)
    resources, holds = template.body["Resources"], conditions(template)
    assert holds[resources["PartnerEventBus"]["Condition"]] is makes_the_bus
    rule = resources["PartnerPaymentRule"]
    assert holds[rule["Condition"]] is has_the_source
    # On the bus that this stack makes (so that it is made first), else on the one that has the source's name.
    assert rule["Properties"]["EventBusName"] == {
        "Fn::If": ["CreatesPartnerBus", {"Ref": "PartnerEventBus"}, {"Ref": "StripeEventSourceName"}]
    }
    assert resources["DefaultBusPaymentRule"].get("Condition") is None


def definition(template: Template) -> str:
    """The state machine's text, each reference as its parameter's value or its own name."""
    join = template.body["Resources"]["TicketPaymentStateMachine"]["Properties"]["DefinitionString"]["Fn::Join"]
    return "".join(
        part if isinstance(part, str) else template.parameters.get(part.get("Ref"), str(part)) for part in join[1]
    )


def test_automatic_refund_is_a_parameter() -> None:
    without = definition(loaded())
    # What the workflow's tests run is what the parameter deploys.
    assert definition(loaded(AutomaticRefund="true")) == with_automatic_refund(without) != without


def test_what_is_optional_is_optional() -> None:
    required = {name for name, parameter in loaded().body["Parameters"].items() if "Default" not in parameter}
    # Empty at first: `cachao connect` says it.
    assert required == set(GIVEN) - {"StripeEventSourceName"}
