"""Alarms, dashboard and code are held together by names only: these tests hold the names, and when an alarm goes off.

Names from both sides: what template.yaml watches, and what the functions' source counts.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.conftest import TEMPLATE
from tests.ticketing.bundle_only import run_in_the_bundle
from ticketing.payments import dispute_messages

FUNCTIONS: Final = TEMPLATE.parent / "functions"
BODY: Final[dict[str, Any]] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
RESOURCES: Final[dict[str, Any]] = BODY["Resources"]
ALARMS: Final = {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"].endswith("::Alarm")}
VARIABLES: Final[dict[str, Any]] = BODY["Globals"]["Function"]["Environment"]["Variables"]
NAMESPACE: Final = VARIABLES["POWERTOOLS_METRICS_NAMESPACE"]
STACK: Final = "the-stack"

# Where the source counts by a name that it works out: which names these can be.
WORKED_OUT: Final = {"recorded.told": set(dispute_messages.ALERTS.values())}


# --- What is counted, and what is watched ----------------------------------------------------------------------------


def counted() -> set[str]:
    """Each metric of our own that the functions count, or that is made of a log."""
    by_functions = {name for file in sorted(FUNCTIONS.rglob("*.py")) for name in _counted_in(file)}
    return by_functions | {made["MetricName"] for made in made_of_logs()}


def made_of_logs() -> list[dict[str, Any]]:
    """What metric filters count."""
    filters = [found["Properties"] for found in RESOURCES.values() if found["Type"] == "AWS::Logs::MetricFilter"]
    made = [made for found in filters for made in found["MetricTransformations"]]
    return [one for one in made if one["MetricNamespace"] == NAMESPACE]


def _counted_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if called not in {"count_metric", "add_metric"}:
            continue
        given = next((keyword.value for keyword in node.keywords if keyword.arg == "name"), None) or node.args[0]
        if isinstance(given, ast.Constant):
            yield str(given.value)
        elif file.name != "runtime.py":  # count_metric itself
            yield from WORKED_OUT[ast.unparse(given)]


def widgets(kind: str, *, partner: bool = True) -> list[dict[str, Any]]:
    """The dashboard's widgets of a kind, where the partner event source is there, or is not."""
    text, names = RESOURCES["PaymentsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in names.items():
        if "Fn::Select" in value:
            text = text.replace(f"${{{name}}}", name)
            continue
        condition, then, otherwise = value["Fn::If"]
        assert condition == "HasPartnerSource"
        text = text.replace(f"${{{name}}}", then["Fn::Sub"] if partner else otherwise)
    return [widget["properties"] for widget in json.loads(text)["widgets"] if widget["type"] == kind]


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at, each with its own Namespace, MetricName and Dimensions."""
    if "Metrics" not in alarm:
        return [alarm]
    return [query["MetricStat"]["Metric"] for query in queries_of(alarm) if "MetricStat" in query]


def queries_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm asks, also what only the partner event source makes it ask."""
    return [query["Fn::If"][1] if "Fn::If" in query else query for query in alarm["Metrics"]]


def watched_by_alarms() -> list[tuple[str, Any]]:
    """Our own metrics that alarms look at, each with its dimensions."""
    found = [metric for alarm in ALARMS.values() for metric in metrics_of(alarm)]
    return [(metric["MetricName"], metric["Dimensions"]) for metric in found if metric["Namespace"] == NAMESPACE]


def on_the_dashboard() -> list[tuple[str, Any]]:
    """Our own metrics on the dashboard, each with its dimensions, name and value in turn."""
    rows = [row for widget in widgets("metric") for row in widget["metrics"] if isinstance(row[0], str)]
    return [(row[1], [part for part in row[2:] if isinstance(part, str)]) for row in rows if row[0] == NAMESPACE]


def test_each_metric_that_is_watched_is_counted_and_the_other_way_round() -> None:
    watched = {name for name, _ in [*watched_by_alarms(), *on_the_dashboard()]}
    assert len(watched) > 15
    assert watched == counted()


def test_a_metric_is_counted_under_the_dimensions_under_which_it_is_watched() -> None:
    assert {json.dumps(by) for _, by in watched_by_alarms()} == {
        json.dumps([{"Name": "service", "Value": {"Ref": "AWS::StackName"}}])
    }
    assert {tuple(by) for _, by in on_the_dashboard()} == {("service", "${AWS::StackName}")}
    given = {name: STACK if value == {"Ref": "AWS::StackName"} else value for name, value in VARIABLES.items()}
    powertools = {name: value for name, value in given.items() if name.startswith("POWERTOOLS_")}
    # Twice: the second may not have lost what the first had.
    script = "from handlers.runtime import count_metric\ncount_metric('First')\ncount_metric('Second')\n"
    for line in run_in_the_bundle(script, environment=powertools).splitlines():
        written = json.loads(line)
        [about] = written["_aws"]["CloudWatchMetrics"]
        assert (about["Namespace"], about["Dimensions"], written["service"]) == (NAMESPACE, [["service"]], STACK)


def test_a_metric_that_is_made_of_the_access_log_finds_its_fields_there() -> None:
    [watched] = RESOURCES["ThrottledRequestsFilter"]["Properties"]["FilterPattern"].split('"')[1::2]
    settings = RESOURCES["HttpApi"]["Properties"]["AccessLogSettings"]
    written = settings["Format"]["Fn::Sub"].replace("${AWS::StackName}", STACK).replace("$context.status", watched)
    line = json.loads(written)
    # CloudWatch compares by type, too: text with text.
    assert (line["status"], line["service"]) == ("429", STACK)
    assert [made["Dimensions"] for made in made_of_logs()] == [[{"Key": "service", "Value": "$.service"}]]


def test_no_function_counts_under_other_dimensions() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource["Properties"].get("Environment", {}).get("Variables", {})
            assert not [variable for variable in own if variable.startswith("POWERTOOLS_")], name
    source = "\n".join(file.read_text(encoding="utf-8") for file in FUNCTIONS.rglob("*.py"))
    assert re.findall(r"\bMetrics\(.*|\w*dimension\w*\(.*|single_metric.*", source) == ["Metrics()"]


# --- What an alarm may be, and where it is shown ---------------------------------------------------------------------


# Its errors are the answer that the operator waits for (`cachao counts`, `move`, …). An alarm has ten metrics at most.
SEEN_BY_WHOEVER_INVOKES: Final = {
    "AnswerDisputeFunction",
    "BuyerDataFunction",
    "CompareBooksFunction",
    "CorrectCountsFunction",
    "CorrectOrderFunction",
    "InspectStripeFunction",
    "PrepareDatabaseFunction",
    "RefundEventFunction",
    "SampleShopFunction",
}


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_each_function_is_watched_by_the_alarms_on_errors_and_on_throttles(metric: str) -> None:
    functions = {name for name, found in RESOURCES.items() if found["Type"] == "AWS::Serverless::Function"}
    watched = [
        found["Dimensions"][0]["Value"]["Ref"]
        for alarm in ALARMS.values()
        for found in metrics_of(alarm)
        if (found["Namespace"], found["MetricName"]) == ("AWS/Lambda", metric)
    ]
    assert sorted(watched) == sorted(functions - SEEN_BY_WHOEVER_INVOKES)


@pytest.mark.parametrize("name", sorted(name for name, alarm in ALARMS.items() if "Metrics" in alarm))
def test_an_alarm_on_an_expression_keeps_the_bounds_of_cloudwatch(name: str) -> None:
    # At most ten metrics, all of one period; cfn-lint does not know of it, and the deployment would fail.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-data-queries.html
    queries = [query["MetricStat"] for query in queries_of(ALARMS[name]) if "MetricStat" in query]
    assert len(queries) <= 10
    assert len({query["Period"] for query in queries}) == 1


@pytest.mark.parametrize("rule", ["DefaultBusPaymentRule", "PartnerPaymentRule"])
@pytest.mark.parametrize("metric", ["FailedInvocations", "InvocationsFailedToBeSentToDlq"])
def test_a_rule_is_watched_by_its_name_and_not_by_what_ref_gives(rule: str, metric: str) -> None:
    # Of a rule that names its bus, Ref may be `bus|name`; its ARN ends in `/name`, and the metric wants the name.
    watched = [m for alarm in ALARMS.values() for m in metrics_of(alarm) if m["MetricName"] == metric]
    names = [by["Value"] for m in watched for by in m["Dimensions"] if by["Name"] == "RuleName"]
    place = {"DefaultBusPaymentRule": 1, "PartnerPaymentRule": 4}[rule]
    arn = {"Fn::GetAtt": [rule, "Arn"]}
    assert names.count({"Fn::Select": [place, {"Fn::Split": ["/", arn]}]}) == 1
    assert len(names) == 2


@pytest.mark.parametrize("partner", [True, False])
def test_the_dashboard_shows_every_alarm_that_exists(partner: bool) -> None:
    [widget] = widgets("alarm", partner=partner)
    shown = [re.sub(r"\W|Arn", "", arn) for arn in widget["alarms"]]
    conditions = {None, "HasPartnerSource"} if partner else {None}
    assert sorted(shown) == sorted(name for name in ALARMS if RESOURCES[name].get("Condition") in conditions)


def test_the_dashboards_widgets_lie_side_by_side() -> None:
    text = RESOURCES["PaymentsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0]
    places = [tuple(map(int, found)) for found in re.findall(r'"x":(\d+),"y":(\d+),"width":(\d+),"height":(\d+)', text)]
    taken = [(x + i, y + j) for x, y, width, height in places for i in range(width) for j in range(height)]
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))


# --- When an alarm goes off: figures of one period each, None where there is none ------------------------------------


def goes_off(alarm: dict[str, Any], figures: Sequence[float | None]) -> int | None:
    """After how many periods an alarm of `>=` goes off, as CloudWatch evaluates it; None: not at all."""
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    for now in range(1, len(figures) + 1):
        seen = figures[max(0, now - alarm["EvaluationPeriods"]) : now]
        if sum(figure is not None and figure >= alarm["Threshold"] for figure in seen) >= needed:
            return now
    return None


@pytest.mark.parametrize(
    ("found", "after"),
    [
        ([0, 0, 0, 1, 1], 5),  # from the first hour on, when the first holds are over
        ([0, 12, 0, 7], 4),
        ([1, 0, 0, 0, 0, 0, 0, 1], 8),  # a shop that sells two tickets in two hours
        ([0, 1, 0, 0], None),  # a single late event
        ([0, 40, 0, 0], None),  # a backlog, found in one run
        ([1, *[0] * 7, 1], None),
        ([None, 0, None, 0], None),
    ],
)
def test_the_alarm_on_missing_events(found: list[float | None], after: int | None) -> None:
    alarm = ALARMS["PaymentEventsMissingAlarm"]
    assert alarm["Statistic"] == "Sum"
    rhythm = RESOURCES["ReconcileOrdersFunction"]["Properties"]["Events"]["EveryQuarterOfAnHour"]["Properties"]
    assert rhythm["Schedule"] == f"rate({alarm['Period'] // 60} minutes)"
    assert goes_off(alarm, found) == after


def test_the_alarm_on_answers_of_500() -> None:
    alarm = ALARMS["ApiFailedAlarm"]
    assert (alarm["Statistic"], alarm["Period"]) == ("Sum", 300)
    assert goes_off(alarm, [None, None, 1]) == 3


@pytest.mark.parametrize(
    ("failed", "after"),
    [
        # Five checkouts an hour, and each fails: one in twelve minutes.
        ([1, None, 1, None, 1, None, None, 1, None, 1], 5),
        ([1, None, None, None, 1, None, None, None, None, None, None, 1], 12),
        # One bad moment, however many it met: that is ApiServerErrorsAlarm's.
        ([50, 50, None, None], None),
        ([1, None, None, None, None, None, 1, None, None, None, None, None, 1], None),
    ],
)
def test_the_alarm_on_an_api_that_sends_buyers_away(failed: list[float | None], after: int | None) -> None:
    alarm = ALARMS["ApiUnavailableAlarm"]
    assert (alarm["Statistic"], alarm["Period"]) == ("Sum", 300)
    assert goes_off(alarm, failed) == after


@pytest.mark.parametrize(
    ("refused", "after"),
    [
        ([None, 400, None, None], None),  # the second in which a sale begins
        ([None, 400, 300], 3),  # a flood
        ([15, None, None, 15], 4),
        ([1, 2, 3, 4, 5, 6], None),
    ],
)
def test_the_alarm_on_requests_that_are_turned_away(refused: list[float | None], after: int | None) -> None:
    alarm = ALARMS["ApiThrottledAlarm"]
    assert (alarm["Statistic"], alarm["Period"]) == ("Sum", 60)
    assert goes_off(alarm, refused) == after
