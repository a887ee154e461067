"""Does a deployment change executions that have begun, or all at once?"""

from __future__ import annotations

from collections.abc import Iterator

from local.lint.entry_points import targets_of_rules
from local.lint.findings import Finding
from local.lint.graph import all_states
from local.lint.resilience import LAMBDA_INVOKE
from local.lint.subject import Subject, referred

_RETAIN = "Retain"
_DESCRIPTION_FROM = (
    "DatabaseSecretArn",
    "StripeSecretArn",
    "StripeLivemode",
    "StripeAccountShared",
    "StripeAccountId",
    "SnapStart",
)


def check_pinned_functions(subject: Subject) -> Iterator[Finding]:
    """The machine calls versions of its functions: what began with one version of the code ends with it."""
    for name, state in all_states(subject.definition):
        if state.get("Resource") != LAMBDA_INVOKE:
            continue
        text = str(state.get("Arguments", {}).get("FunctionName", ""))
        reference = subject.substitutions.get(text[2:-1])
        function = subject.substituted_resource(text)
        if function is None:
            continue  # `permission` tells
        if not str(reference.get("Ref") if isinstance(reference, dict) else "").endswith(".Version"):
            yield subject.in_definition(
                name, "version", f"it calls whatever {function} is at the moment", f"substitute !Ref {function}.Version"
            )
            continue
        properties = subject.template["Resources"][function].get("Properties", {})
        if not properties.get("AutoPublishAlias") or properties.get("AutoPublishAliasAllProperties") is not True:
            yield subject.in_template(
                function, "version", "not each change of it makes a version", "set AutoPublishAliasAllProperties"
            )
        description = str(properties.get("VersionDescription"))
        if missing := [parameter for parameter in _DESCRIPTION_FROM if parameter not in description]:
            yield subject.in_template(
                function,
                "version",
                f"another value of {', '.join(missing)} makes no version",
                "name it in VersionDescription",
            )
        if subject.template["Resources"][function].get("UpdateReplacePolicy") != _RETAIN:
            yield subject.in_template(
                function,
                "version",
                "a version on which executions run is deleted when its description changes",
                "set UpdateReplacePolicy: Retain",
            )


def check_alias(subject: Subject) -> Iterator[Finding]:
    """The rules start the machine's alias, which goes on to a new version bit by bit, and back where alarms go off."""
    preference = subject.machine.get("DeploymentPreference", {})
    alarms = dict(subject.resources("AWS::CloudWatch::Alarm"))
    if subject.alias_id is None or not preference.get("Alarms"):
        yield subject.in_template(
            subject.machine_id,
            "alias",
            "a deployment changes all payments at once, and nothing takes it back",
            "set AutoPublishAlias, and a DeploymentPreference with Alarms",
        )
        return
    for alarm in preference["Alarms"]:
        if referred(alarm) not in alarms:
            yield subject.in_template(
                subject.machine_id, "alias", f"{alarm} is no alarm of the template", "name an alarm by !Ref"
            )
    for name, target in targets_of_rules(subject):
        if referred(target.get("Arn")) != subject.alias_id:
            yield subject.in_template(
                name, "alias", "it starts the machine past its alias", f"its target's Arn is !Ref {subject.alias_id}"
            )
