"""Each `aws …` command that documents and commands name is one of AWS's, with options that botocore's models know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import botocore.session
import pytest
from botocore import xform_name

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted([
    ROOT / "README.md",
    ROOT / "statemachine" / "ticket_payment.asl.yaml",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "operations").rglob("*.py"),
    *(ROOT / "functions").rglob("*.py"),
])  # fmt: skip
EVERYWHERE: Final = {"--query", "--output", "--region", "--profile", "--endpoint-url"}
# `--endpoint` would be an abbreviation of `--endpoint-url`.
RENAMED: Final = {("sns", "subscribe"): {"--notification-endpoint"}}
# Made by the AWS CLI itself, not from a model; with what we may give them.
OF_THE_CLI: Final = {
    ("cloudformation", "deploy"): {"--template-file", "--stack-name", "--parameter-overrides", "--capabilities"},
    ("configure", "list-profiles"): set(),
    ("logs", "tail"): {"--since", "--filter-pattern", "--follow"},
    ("sso", "login"): set(),
}
SESSION: Final = botocore.session.get_session()
SERVICES: Final = {*SESSION.get_available_services(), *(service for service, _ in OF_THE_CLI)}


def commands(text: str) -> list[tuple[str, str, set[str]]]:
    """Give service, operation and options of each command in a text; a line may go on in the next one."""
    joined = re.sub(r"\\\n\s*", "", text)
    found = re.findall(r"\baws ([a-z][a-z0-9-]+) ([a-z]+(?:-[a-z]+)*)\b([^`\n\"]*)", joined)
    return [
        (service, operation, set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.partition("#")[0])))
        for service, operation, rest in found
        if service in SERVICES
    ]


def unknown(service: str, operation: str, options: set[str]) -> set[str]:
    """Give what AWS does not know of a command: itself, or options of it."""
    if (service, operation) in OF_THE_CLI:
        return options - OF_THE_CLI[service, operation] - EVERYWHERE
    model = SESSION.get_service_model(service)
    name = next((name for name in model.operation_names if xform_name(name, "-") == operation), None)
    if name is None:
        return {operation}
    shape = model.operation_model(name).input_shape
    members = {} if shape is None else shape.members
    taken = RENAMED.get((service, operation), set()) | {f"--{xform_name(member, '-')}" for member in members}
    return options - taken - {f"--no-{option[2:]}" for option in taken} - EVERYWHERE


@pytest.fixture(scope="module")
def named() -> set[tuple[str, str, frozenset[str]]]:
    texts = (source.read_text(encoding="utf-8") for source in SOURCES)
    return {
        (service, operation, frozenset(options)) for text in texts for service, operation, options in commands(text)
    }


def test_each_command_is_aws_own(named: set[tuple[str, str, frozenset[str]]]) -> None:
    assert len(named) > 15
    wrong = {command: found for command in named if (found := unknown(command[0], command[1], set(command[2])))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("aws events list-event-source --name-prefix x", {"list-event-source"}),
        ("aws secretsmanager create-secret --name x --secret x", {"--secret"}),
        ("aws cloudformation deploy --template x", {"--template"}),
        ("aws secretsmanager create-secret --name x \\\n  --secret-string x", set()),
    ],
)
def test_what_aws_does_not_know_is_noticed(text: str, wrong: set[str]) -> None:
    [command] = commands(text)
    assert unknown(*command) == wrong
