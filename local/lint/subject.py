"""What is linted: the state machine, the template that deploys it, and the errors and events of the code."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from local.lint.findings import Finding
from ticketing import errors as ticketing_errors
from ticketing.stripe.event_types import RECEIVED_EVENTS

_STATE_MACHINE = "AWS::Serverless::StateMachine"


class UnreadableTemplateError(ValueError):
    """The template has no state machine whose definition lies in a file."""


@dataclass(frozen=True)
class Subject:
    """Everything that the checks look at; plain data, so that a test can break a copy of it.

    Attributes:
        template: the SAM template, intrinsic functions in their long form.
        definition: the state machine.
        definition_text: its text, comments included.
        machine_id: its logical id.
        permanent_errors, retryable_errors: names of the classes in `ticketing.errors`.
        handled_events: Stripe event types that `ticketing.stripe.events` reads, also thin ones.
        template_file, definition_file: as findings name them.
    """

    template: dict[str, Any]
    definition: dict[str, Any]
    definition_text: str
    machine_id: str
    permanent_errors: frozenset[str]
    retryable_errors: frozenset[str]
    handled_events: frozenset[str]
    template_file: str
    definition_file: str

    @property
    def machine(self) -> dict[str, Any]:
        """The state machine's properties in the template."""
        properties: dict[str, Any] = self.template["Resources"][self.machine_id]["Properties"]
        return properties

    @property
    def alias_id(self) -> str | None:
        """Logical id that SAM gives the machine's alias; None: it has none."""
        alias = self.machine.get("AutoPublishAlias")
        return None if alias is None else f"{self.machine_id}Alias{alias}"

    @property
    def substitutions(self) -> dict[str, Any]:
        """Its `DefinitionSubstitutions`."""
        return dict(self.machine.get("DefinitionSubstitutions", {}))

    def resources(self, resource_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and properties of each resource of a type."""
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] == resource_type:
                yield logical_id, resource.get("Properties", {})

    def substituted_resource(self, text: object) -> str | None:
        """Logical id behind a field that is just `${Name}`: what `Name` refers to in the template."""
        if not (isinstance(text, str) and text.startswith("${") and text.endswith("}")):
            return None
        return referred(self.substitutions.get(text[2:-1]))

    def in_definition(self, state: str, check: str, message: str, advice: str) -> Finding:
        """Say something of a state."""
        return Finding(self.definition_file, state, check, message, advice)

    def in_template(self, resource: str, check: str, message: str, advice: str) -> Finding:
        """Say something of a resource of the template."""
        return Finding(self.template_file, resource, check, message, advice)

    def copy(self) -> Subject:
        """Give a copy whose template and definition can be changed."""
        return dataclasses.replace(
            self, template=copy.deepcopy(self.template), definition=copy.deepcopy(self.definition)
        )


def referred(value: object) -> str | None:
    """Logical id that a `Ref` or `Fn::GetAtt` (long form) names, or None."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    if isinstance(reference := value.get("Ref"), str):
        return reference.partition(".")[0]  # SAM's `Function.Version`
    attribute = value.get("Fn::GetAtt")
    if isinstance(attribute, str):
        return attribute.partition(".")[0]
    return str(attribute[0]) if isinstance(attribute, list) and attribute else None


def load(template_file: Path) -> Subject:
    """Read a template and the state machine beside it.

    Raises:
        UnreadableTemplateError: it has not exactly one state machine with a `DefinitionUri`.
        OSError: a file cannot be read.
        yaml.YAMLError: a file is no YAML.
    """
    template = yaml_parse(template_file.read_text(encoding="utf-8"))
    resources = template.get("Resources", {}) if isinstance(template, dict) else {}
    machines = [name for name, resource in resources.items() if resource["Type"] == _STATE_MACHINE]
    if len(machines) != 1 or "DefinitionUri" not in resources[machines[0]]["Properties"]:
        raise UnreadableTemplateError(f"{template_file} must have one {_STATE_MACHINE} with a DefinitionUri")
    uri = resources[machines[0]]["Properties"]["DefinitionUri"]
    definition_file = template_file.parent / uri
    text = definition_file.read_text(encoding="utf-8")
    return Subject(
        template=template,
        definition=yaml.safe_load(text),
        definition_text=text,
        machine_id=machines[0],
        permanent_errors=_errors(ticketing_errors.PermanentError),
        retryable_errors=_errors(ticketing_errors.RetryableError),
        handled_events=RECEIVED_EVENTS,
        template_file=str(template_file),
        definition_file=str(definition_file),
    )


def _errors(base: type[Exception]) -> frozenset[str]:
    classes = inspect.getmembers(ticketing_errors, inspect.isclass)
    return frozenset(name for name, value in classes if issubclass(value, base) and value is not base)
