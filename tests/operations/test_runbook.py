"""docs/runbook.md has an entry for each alert, each alarm and each cause of the doctor's; no link leads nowhere."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from samtranslator.yaml_helper import yaml_parse

import cachao.doctor
import ticketing
from cachao.cli import app
from handlers.maintenance import tell_ended_execution
from ticketing import errors
from ticketing.alerts import AlertName
from ticketing.books.lines import Name as BookName

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
MACHINE = (ROOT / "statemachine" / "ticket_payment.asl.yaml").read_text(encoding="utf-8")
ALARMS = {name: r for name, r in TEMPLATE["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


HEADINGS = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
ANCHORS = {slug(heading) for heading in HEADINGS} | set(re.findall(r'<a id="([^"]+)">', RUNBOOK))


def entry(heading: str) -> str:
    found = re.search(rf"^### {re.escape(heading)}$(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def descendants(kind: type) -> set[type]:
    children: list[type] = kind.__subclasses__()
    return {one for child in children for one in {child, *descendants(child)}}


def alert_names() -> set[str]:
    for module in pkgutil.iter_modules(ticketing.__path__, "ticketing."):
        importlib.import_module(module.name)
    ours = {kind.__name__ for kind in descendants(errors.PermanentError)}
    passing = {kind.__name__ for kind in descendants(errors.RetryableError) if kind.__module__ == "ticketing.errors"}
    return (
        ours
        | passing
        | set(get_args(AlertName))
        | {"UnexpectedResult"}
        | set(tell_ended_execution.ALERT_NAMES.values())
    )


def aws_errors() -> set[str]:
    return set(re.findall(r"\b(?:Lambda|States|Sandbox|Runtime)\.[A-Z][A-Za-z0-9]+", MACHINE))


@pytest.mark.parametrize("name", sorted(alert_names()))
def test_each_alert_has_an_entry_that_says_what_it_means_how_to_check_and_how_to_repair(name: str) -> None:
    assert name.lower() in ANCHORS
    for part in ("**Meaning.**", "**Check.**", "**Repair.**"):
        assert part in entry(name)


@pytest.mark.parametrize("name", sorted(aws_errors()))
def test_each_error_of_aws_leads_somewhere(name: str) -> None:
    # As DescribeFailure builds the link: lower case, without dots.
    assert name.lower().replace(".", "") in ANCHORS


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_each_alarm_has_an_entry_and_links_to_it(name: str) -> None:
    for part in ("**Meaning.**", "**Check.**", "**Repair.**"):
        assert part in entry(name)
    properties = ALARMS[name]["Properties"]
    assert json.dumps(properties["AlarmDescription"]).rstrip('"}').endswith(f"${{RunbookUrl}}#{name.lower()}")
    assert properties["AlarmActions"] == properties["OKActions"]
    assert properties["AlarmActions"][0] == {"Ref": "AlertTopic"}
    # The one that says that this topic reaches nobody has another way, too.
    fallback = {"Fn::If": ["HasFallbackAlertTopic", {"Ref": "FallbackAlertTopicArn"}, {"Ref": "AWS::NoValue"}]}
    assert properties["AlarmActions"][1:] == ([fallback] if name == "AlertsNotDeliveredAlarm" else [])


def test_no_entry_is_about_something_that_is_not_there() -> None:
    entries = set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE))
    assert entries == alert_names() | set(ALARMS)


def test_alerts_and_alarms_are_in_alphabetical_order() -> None:
    alerts, alarms = (re.findall(r"^### (\w+)$", part, re.MULTILINE) for part in RUNBOOK.split("\n## Alarms\n"))
    assert set(alarms) == set(ALARMS)
    for names in (alerts, alarms):
        assert names == sorted(names, key=str.lower)


@pytest.mark.parametrize(
    "case", ["Events not reaching EventBridge", "Events received but not processed", "order_id not in metadata"]
)
def test_the_three_usual_cases_have_their_names(case: str) -> None:
    assert case in HEADINGS
    assert f'"{case}"' in (Path(cachao.doctor.__path__[0]) / "finding.py").read_text()


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(#([^)]+)\)", RUNBOOK):
        assert target in ANCHORS, target
    dashboard = json.dumps(TEMPLATE["Resources"]["PaymentsDashboard"]["Properties"]["DashboardBody"])
    for target in re.findall(r"RunbookUrl\}#([\w-]+)", dashboard):
        assert target in ANCHORS, target


def test_no_entry_needs_sql() -> None:
    """What people correct has a command: moving an order by hand once made another date lose a sold seat."""
    found = re.findall(r"\b(?:UPDATE|INSERT|DELETE|REPLACE|ALTER|SELECT)\b[^`|]*\b(?:SET|INTO|FROM|TABLE)\b", RUNBOOK)
    assert found == []
    assert "administers the database" not in RUNBOOK


def test_each_command_that_the_runbook_names_is_there_with_its_options() -> None:
    group = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands  # type: ignore[attr-defined]
    said = [line.removesuffix("`") for line in re.findall(r"`cachao [^`]+`|^    cachao [^#\n]+", RUNBOOK, re.MULTILINE)]
    assert len(said) > 100
    for words in said:
        # What is quoted is another command's.
        _, name, *rest = re.sub(r"'[^']*'", "", words).replace("`", " ").split()
        command = commands[name]
        if rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        known |= {option for parameter in group.params for option in parameter.opts} | {"--help"}
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert used <= known, words


@pytest.mark.parametrize("name", sorted(set(BookName) - {BookName.AGREES}))
def test_each_name_of_a_line_of_the_books_is_explained(name: str) -> None:
    section = RUNBOOK.partition("\n## Every cent\n")[2].partition("\n## ")[0]
    assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", section, re.MULTILINE)
