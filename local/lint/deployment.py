"""Do the definition and the template that deploys it agree?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.lint.findings import Finding
from local.lint.graph import all_states
from local.lint.subject import Subject, referred

# `${Name}`, but not `$${Name}`: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-sam-sfn.html
_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9]+)\}")

# Which action each kind of task needs on which resource: the ends of its Resource, the field of its Arguments.
_NEEDS: Final = {
    "arn:aws:states:::lambda:invoke": ("lambda:InvokeFunction", "FunctionName"),
    "arn:aws:states:::sns:publish": ("sns:Publish", "TopicArn"),
    "arn:aws:states:::dynamodb:updateItem": ("dynamodb:UpdateItem", "TableName"),
}
# SAM's policy templates that allow these, and where they name the resource.
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
_POLICY_TEMPLATES: Final = {
    "LambdaInvokePolicy": ("lambda:InvokeFunction", "FunctionName"),
    "SNSPublishMessagePolicy": ("sns:Publish", "TopicName"),
}
_ACTIONS: Final = frozenset(action for action, _ in _NEEDS.values())
_ANY_RESOURCE: Final = "*"

Permission = tuple[str, str]


def check_substitutions(subject: Subject) -> Iterator[Finding]:
    """Every `${Name}` of the definition is in DefinitionSubstitutions, and each of those is used."""
    used = set(_SUBSTITUTION.findall(_text(subject.definition)))
    defined = subject.substitutions.keys()
    for name in sorted(used - defined):
        place = next((state for state, body in all_states(subject.definition) if f"${{{name}}}" in _text(body)), "")
        yield subject.in_definition(
            place,
            "substitution",
            f"${{{name}}} is not defined",
            f"define it in {subject.template_file}, DefinitionSubstitutions",
        )
    for name in sorted(defined - used):
        yield subject.in_template(
            subject.machine_id, "substitution", f"the definition does not use ${{{name}}}", "remove it"
        )


def check_permissions(subject: Subject) -> Iterator[Finding]:
    """The machine may invoke and publish exactly what its tasks do."""
    needed: set[Permission] = set()
    for name, state in all_states(subject.definition):
        if state.get("Type") != "Task":
            continue
        action, field = _NEEDS.get(str(state.get("Resource")), ("", ""))
        resource = subject.substituted_resource(state.get("Arguments", {}).get(field))
        if not action:
            yield subject.in_definition(
                name, "permission", f"the lint does not know {state.get('Resource')}", "add it to deployment.py, _NEEDS"
            )
        elif resource not in subject.template["Resources"]:
            yield subject.in_definition(
                name, "permission", f"its {field} is no resource of the template", "name one by a substitution"
            )
        else:
            needed.add((action, str(resource)))
            if (action, str(resource)) not in _permitted(subject):
                yield subject.in_definition(
                    name,
                    "permission",
                    f"{action} on {resource} is not permitted",
                    "permit it in the machine's Policies",
                )
    for action, resource in sorted(_permitted(subject) - needed):
        yield subject.in_template(
            subject.machine_id,
            "permission",
            f"{action} on {resource} is permitted and not needed",
            "remove it from Policies",
        )


def _permitted(subject: Subject) -> set[Permission]:
    found: set[Permission] = set()
    for policy in subject.machine.get("Policies", []):
        for template, (action, field) in _POLICY_TEMPLATES.items():
            if template in policy:
                found.add((action, referred(policy[template].get(field)) or _ANY_RESOURCE))
        for statement in as_list(policy.get("Statement")):
            found |= permitted_by(statement, _ACTIONS)
    return found


def permitted_by(statement: Mapping[str, Any], actions: frozenset[str]) -> set[Permission]:
    """Give which of these actions an IAM statement allows, on which logical ids; `*` for what is no reference."""
    if statement.get("Effect") != "Allow":
        return set()
    return {
        (action, referred(resource) or _ANY_RESOURCE)
        for action in actions
        for pattern in as_list(statement.get("Action"))
        if _matches(pattern, action)
        for resource in as_list(statement.get("Resource"))
    }


def as_list(value: object) -> list[Any]:
    """IAM and CloudFormation take one item for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, action: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(_text(item) for key, item in value.items() if key != "Comment")
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value)
    return str(value)
