"""The picture of the state machine: current, whole, and nothing in it lies over anything else."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cachao.picture import Overlay, StateResult, draw, draw_page
from cachao.picture import __main__ as command
from cachao.picture.geometry import SMALL_FONT_SIZE, Box, lines_of, text_width
from cachao.picture.graph import read_graph
from cachao.picture.layout import Line, Plan, all_plans, lay_out
from cachao.picture.results import format_seconds
from tests.sizes import size

REAL: dict[str, Any] = yaml.safe_load(command.DEFINITION.read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"
WIDTH_OF_A_README = 950


def parse(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 -- our own


def test_the_picture_in_docs_is_current() -> None:
    now = command.PICTURE.read_text(encoding="utf-8") if command.PICTURE.exists() else ""
    assert now == draw(REAL), "run: python -m operations.state_machine_picture"


def test_the_command_writes_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "PICTURE", tmp_path / "picture.svg")
    assert command.main() == 0
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8") == draw(REAL)


def test_every_state_is_drawn_with_its_name_and_comment() -> None:
    groups = [group for group in parse(draw(REAL)).iter(f"{SVG}g") if group.get("class") == "state"]
    drawn = {}
    for group in groups:
        name = "".join(text.text or "" for text in group.iter(f"{SVG}text") if text.get("class") == "name")
        drawn[name] = group.findtext(f"{SVG}title")
    nodes = [node for plan in all_plans(lay_out(read_graph(REAL))) for node in plan.graph.nodes.values()]
    assert drawn == {node.name: f"{node.name}: {node.comment}" for node in nodes}


def test_it_is_legible_in_light_and_dark_at_the_width_of_a_readme() -> None:
    text = draw(REAL)
    assert "prefers-color-scheme: dark" in text
    assert float(parse(text).attrib["width"]) <= WIDTH_OF_A_README


# --- Nothing lies over anything else -------------------------------------------------------------------------------


def boxes_of(plan: Plan) -> list[tuple[str, Box]]:
    return [(name, box) for one in all_plans(plan) for name, box in one.boxes.items()]


def overlap(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def contains(outer: Box, inner: Box) -> bool:
    return outer.x <= inner.x and inner.right <= outer.right and outer.y <= inner.y and inner.bottom <= outer.bottom


def stretches(line: Line) -> list[Box]:
    """A line's straight parts, as boxes without width or without height."""
    return [
        Box(min(ax, bx), min(ay, by), abs(bx - ax), abs(by - ay))
        for (ax, ay), (bx, by) in itertools.pairwise(line.points)
    ]


def check_boxes(plan: Plan) -> None:
    for (name, box), (other_name, other) in itertools.combinations(boxes_of(plan), 2):
        if overlap(box, other):
            parallel = name if contains(box, other) else other_name
            assert contains(box, other) or contains(other, box), (name, other_name)
            assert any(plan_.graph.nodes[parallel].branches for plan_ in all_plans(plan) if parallel in plan_.boxes)


def check_lines_pass_no_state(plan: Plan) -> None:
    for one in all_plans(plan):
        for line, (name, box) in itertools.product(one.lines, one.boxes.items()):
            for part in stretches(line):
                inside = Box(box.x + 1, box.y + 1, box.width - 2, box.height - 2)
                assert not overlap(inside, part) or name in {line.edge.source, line.edge.target}, (line.edge, name)


def check_lines_share_no_stretch(plan: Plan) -> None:
    """Only lines from the same state, or to the same state, may run along each other."""
    for one in all_plans(plan):
        for line, other in itertools.combinations(one.lines, 2):
            if line.edge.source == other.edge.source or line.edge.target == other.edge.target:
                continue
            for part, other_part in itertools.product(stretches(line), stretches(other)):
                same_row = part.height == other_part.height == 0 and part.y == other_part.y
                same_column = part.width == other_part.width == 0 and part.x == other_part.x
                apart_x = part.right <= other_part.x or other_part.right <= part.x
                apart_y = part.bottom <= other_part.y or other_part.bottom <= part.y
                assert not (same_row and not apart_x), (line.edge, other.edge)
                assert not (same_column and not apart_y), (line.edge, other.edge)


def check_labels(plan: Plan) -> None:
    labels = [(line.edge, label_box(line)) for one in all_plans(plan) for line in one.lines if line.label]
    groups = {name for one in all_plans(plan) for name, node in one.graph.nodes.items() if node.branches}
    for (edge, label), (name, box) in itertools.product(labels, boxes_of(plan)):
        # Only a group may hold a label: of a way within it.
        assert not overlap(label, box) or (name in groups and contains(box, label)), (edge, name)
        # The picture's margin is wider than that.
        assert label.x >= -1, (edge, "runs out of the picture")
    for (edge, label), (other_edge, other) in itertools.combinations(labels, 2):
        assert not overlap(label, other), (edge, other_edge)


def label_box(line: Line) -> Box:
    assert line.label is not None
    words = line.edge.labels if line.edge.is_error else (line.label.text,)
    width = max(text_width(word, SMALL_FONT_SIZE) for word in words)
    x, y = line.label.at
    left = {"start": x, "end": x - width, "middle": x - width / 2}[line.label.anchor]
    return Box(left, y - 12.5 * len(words) + 3, width, 12.5 * len(words))


@pytest.mark.parametrize("node_height", [46.0, 60.0])
def test_nothing_of_the_real_machine_lies_over_anything_else(node_height: float) -> None:
    plan = lay_out(read_graph(REAL), node_height=node_height)
    check_boxes(plan)
    check_lines_pass_no_state(plan)
    check_lines_share_no_stretch(plan)
    check_labels(plan)


def test_the_checks_would_find_it() -> None:
    plan = lay_out(read_graph(REAL))
    plan.boxes["LookUpOrder"] = plan.boxes["ReleaseOrder"].moved(5, 5)
    for check in (check_boxes, check_lines_pass_no_state):
        with pytest.raises(AssertionError):
            check(plan)
    plan = lay_out(read_graph(REAL))
    line = next(line for line in plan.lines if line.edge.source == "ValidateEvent")
    plan.lines.append(replace(line, edge=replace(line.edge, source="OrderPaid", target="Ignored")))
    with pytest.raises(AssertionError):
        check_lines_share_no_stretch(plan)
    labelled = next(line for line in plan.lines if line.label)
    assert labelled.label is not None
    box = plan.boxes["LookUpOrder"]
    plan.lines.append(replace(labelled, label=replace(labelled.label, at=(box.middle, box.y + 9))))
    with pytest.raises(AssertionError):
        check_labels(plan)


# --- Other machines --------------------------------------------------------------------------------------------------


def machine(start: str, **states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": start, "States": states}


def task(following: str | None = None, *, catch: str | None = None) -> dict[str, Any]:
    state: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"}
    state |= {"Next": following} if following else {"End": True}
    if catch:
        state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": catch}]
    return state


END, FAIL = {"Type": "Succeed"}, {"Type": "Fail"}
INNER = machine("InnerTask", InnerTask=task())
MACHINES = {
    "one state": machine("AloneHere", AloneHere=task()),
    "only a failure": machine("FirstStep", FirstStep=task("AllLost"), AllLost=FAIL),
    "a loop": machine(
        "AskAgain",
        AskAgain=task("IsReady"),
        IsReady={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $s = 'done' %}", "Next": "AllDone"}],
            "Default": "WaitFirst",
        },
        WaitFirst={"Type": "Wait", "Seconds": 5, "Next": "AskAgain"},
        AllDone=END,
    ),
    "branches in branches": machine(
        "OuterPart",
        OuterPart={
            "Type": "Parallel",
            "Branches": [
                machine("MiddlePart", MiddlePart={"Type": "Parallel", "Branches": [INNER, INNER], "End": True}),
                machine("SideStep", SideStep=task()),
            ],
            "Next": "AllDone",
        },
        AllDone=END,
    ),
    "a name of one long word": machine("X" + "x" * 40, **{"X" + "x" * 40: task()}),
    "failing early and late": machine(
        "FirstStep",
        FirstStep=task("SecondStep", catch="TellSomebody"),
        SecondStep=task("AllDone", catch="TellSomebody"),
        AllDone=END,
        TellSomebody=task("AllLost"),
        AllLost=FAIL,
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_other_machines_are_drawn(name: str) -> None:
    plan = lay_out(read_graph(MACHINES[name]))
    check_boxes(plan)
    check_lines_pass_no_state(plan)
    assert parse(draw(MACHINES[name])).tag == f"{SVG}svg"


@st.composite
def machines(draw_from: st.DrawFn) -> dict[str, Any]:
    count = draw_from(st.integers(1, 9))
    names = [f"StateNumber{chr(65 + number)}" for number in range(count)]
    states: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        later = names[number + 1 :]
        if not later:
            states[name] = dict(draw_from(st.sampled_from([END, FAIL])))
        elif draw_from(st.booleans()):
            choices = draw_from(st.lists(st.sampled_from(later), min_size=1, max_size=3))
            states[name] = {
                "Type": "Choice",
                "Choices": [{"Condition": f"{{% $x = '{following}' %}}", "Next": following} for following in choices],
                "Default": draw_from(st.sampled_from(later)),
            }
        else:
            catch = draw_from(st.none() | st.sampled_from(later))
            states[name] = task(draw_from(st.sampled_from(later)), catch=catch)
    reached = {names[0]}
    for name in names:  # in their order: a way leads to later ones only
        if name in reached:
            reached |= set(read_graph(machine(names[0], **states)).after(name))
    return machine(names[0], **{name: states[name] for name in names if name in reached})


@settings(max_examples=size(30, 150), deadline=None)
@given(definition=machines())
def test_any_machine_is_drawn_with_its_states_apart(definition: dict[str, Any]) -> None:
    plan = lay_out(read_graph(definition))
    check_boxes(plan)
    check_lines_pass_no_state(plan)
    assert {name for name, _ in boxes_of(plan)} >= {definition["StartAt"]}
    assert parse(draw(definition)).tag == f"{SVG}svg"


@pytest.mark.parametrize("definition", [{}, machine("Nowhere", SomeWhere=END), machine("A", A=task("Nowhere"))])
def test_malformed_definitions_are_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a state"):
        draw(definition)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("OrderPaid", ["OrderPaid"]),
        ("TellOperatorsOfDispute", ["TellOperators", "OfDispute"]),
        ("MarkOrderProcessing", ["MarkOrder", "Processing"]),
        ("x" * 20, ["x" * 20]),
    ],
)
def test_long_names_are_broken_between_words(name: str, lines: list[str]) -> None:
    assert lines_of(name) == lines


# --- An execution laid over it ---------------------------------------------------------------------------------------

RUN = MACHINES["failing early and late"]
RESULTS = {
    "FirstStep": StateResult("succeeded", attempts=3, seconds=75.4, error="States.Timeout", started=0.0),
    "SecondStep": StateResult("caught", seconds=1.25, error="<Broken>", started=75.4),
    "TellSomebody": StateResult("succeeded", seconds=0.08, started=76.65),
    "AllLost": StateResult("failed", error="<Broken>", started=76.73),
}


def taken(text: str) -> set[str]:
    ways = [way for way in parse(text).iter(f"{SVG}path") if "taken" in way.get("class", "")]
    return {str(way.findtext(f"{SVG}title")) for way in ways if way.find(f"{SVG}title") is not None}


def test_states_show_what_became_of_them() -> None:
    text = draw(RUN, Overlay(RESULTS))
    groups = {
        str(group.findtext(f"{SVG}title")).partition(" ")[0]: group.get("class")
        for group in parse(text).iter(f"{SVG}g")
        if str(group.get("class")).startswith("state")
    }
    assert groups == {
        "FirstStep": "state succeeded",
        "SecondStep": "state caught",
        "AllDone": "state unreached",
        "TellSomebody": "state succeeded",
        "AllLost": "state failed",
    }
    assert "1:15 min ×3" in text  # noqa: RUF001 -- as it is drawn
    assert "Failed, caught with &lt;Broken&gt;, took 1.2 s." in text


def test_the_way_that_was_taken_is_concluded_from_the_results() -> None:
    assert taken(draw(RUN, Overlay(RESULTS))) == {
        "FirstStep on to SecondStep",
        "SecondStep on an error to TellSomebody",
        "TellSomebody on to AllLost",
    }


def test_the_way_that_was_taken_is_as_it_is_told() -> None:
    told = frozenset({("FirstStep", "SecondStep")})
    assert taken(draw(RUN, Overlay(RESULTS, told))) == {"FirstStep on to SecondStep"}


def test_the_page_has_the_timeline_beside_the_picture() -> None:
    page = draw_page(RUN, Overlay(RESULTS), title="a <name>", sentence="FAILED & told")
    assert "<h1>a &lt;name&gt;</h1><p>FAILED &amp; told</p>" in page
    order = [page.index(f">{name}<", page.index("Timeline")) for name in RESULTS]
    assert order == sorted(order)
    assert 'style="margin-left:98.3%;width:1.6%"' in page
    assert "<Broken>" not in page


def test_a_page_stays_one_whatever_a_stranger_wrote() -> None:
    """A control character would make the drawing no XML, a bidirectional one turn the sentence round."""
    broken = {"FirstStep": StateResult("failed", error="Odd\x1b[31m\u202e")}
    page = draw_page(RUN, Overlay(broken), title="a\x07", sentence="\x9b2J <b>\u2028")
    assert "<h1>a\\x07</h1><p>\\x9b2J &lt;b&gt;\\u2028</p>" in page
    assert not set(page) & set("\x07\x1b\x9b\u202e\u2028")
    parse(page[page.index("<svg") : page.index("</svg>") + 6])


def test_a_page_of_a_run_without_times_has_no_bars() -> None:
    page = draw_page(RUN, Overlay({"FirstStep": StateResult("running")}), title="x")
    assert "margin-left" not in page
    assert 'class="running"' in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0451, "45 ms"), (1.25, "1.2 s"), (59.94, "59.9 s"), (59.97, "1:00 min"), (200, "3:20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
