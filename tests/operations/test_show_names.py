"""Names of executions: found by their beginning, whole where they are printed, and never broken over lines."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable

import pytest
from rich.console import Console

from cachao.aws import executions
from cachao.view.foreign_text import SafeConsole
from cachao.view.output import Output, table
from cachao.watch import Seen, _picture
from local.aws.cloud import LocalCloud
from tests.factories import create_order
from tests.operations.conftest import Cachao, paid_event, set_total
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database

# As long as EventBridge's: its event's id, and another one.
LONG = f"{uuid.UUID(int=1)}_{uuid.UUID(int=2)}"


def start(cloud: LocalCloud, database: Database, name: str) -> None:
    machine = cloud.deployment.outputs["StateMachineArn"]
    event = json.dumps(paid_event(database, create_order(database)))
    cloud.client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=event)


@pytest.mark.parametrize(
    "written", [lambda name: name[:12], lambda name: f"{name[:20]}…", lambda name: f"{name[:15]}..."]
)
def test_the_beginning_of_a_name_suffices(
    cachao: Cachao, cloud: LocalCloud, database: Database, written: Callable[[str], str]
) -> None:
    name = f"{uuid.uuid4()}_{uuid.uuid4()}"
    start(cloud, database, name)
    assert cachao("show", written(name), json=True).data["execution"] == name
    # Whatever looks an execution up by its name takes a beginning.
    assert name in cachao("replay", written(name), "--yes").text


def test_a_beginning_that_fits_several_lists_them(cachao: Cachao, cloud: LocalCloud, database: Database) -> None:
    beginning = uuid.uuid4()
    for ending in ("one", "other"):
        start(cloud, database, f"{beginning}-{ending}")
    answer = cachao("show", beginning)
    assert (answer.exit_code, answer.text) == (2, "")
    for words in (f"2 executions begin with {beginning}.", f"  {beginning}-one\n", f"  {beginning}-other\n"):
        assert words in answer.notes
    start(cloud, database, str(beginning))
    assert cachao("show", beginning, json=True).data["execution"] == str(beginning)  # the whole name is meant


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("4f0c6a1", "8 or more characters"), ("ffffffff-none", "There is no execution ffffffff-none.")],
)
def test_a_beginning_that_is_too_short_or_fits_none_is_said_so(cachao: Cachao, wanted: str, says: str) -> None:
    answer = cachao("show", wanted)
    assert answer.exit_code == 1
    assert says in answer.notes


def test_an_orders_number_where_an_execution_is_wanted_is_recognised(cachao: Cachao) -> None:
    answer = cachao("replay", "2", "--yes")
    assert answer.exit_code == 1
    assert "cachao executions --order 2" in answer.notes


def test_it_says_where_it_did_not_look_through_all(
    cachao: Cachao, cloud: LocalCloud, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = str(uuid.uuid4()), str(uuid.uuid4())
    for name in (older, newer):
        start(cloud, database, name)
    monkeypatch.setattr(executions, "LOOKED_THROUGH", 1)
    found = cachao("show", newer[:10])
    assert found.exit_code == 0
    assert "Only the newest 1 executions were searched" in found.notes
    missed = cachao("show", older[:10])
    assert missed.exit_code == 1
    assert "among the newest 1" in missed.notes


def test_a_replay_names_its_original_whole(
    cachao: Cachao, database: Database, mismatched: tuple[int, Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, original = mismatched
    set_total(database, order_id, 20)
    assert len(original.name) > 69  # so long that a replay's name cuts it
    cachao("replay", original.name, "--yes")
    replay = f"replay-1-{original.name[:69]}"
    assert cachao("show", replay, json=True).data["replay_of"] == original.name
    assert f"a replay of {original.name}\n" in cachao("show", replay).text
    shown = cachao("show", order_id, json=True).data["executions"]
    assert [(one["execution"], one["replay_of"]) for one in shown] == [
        (original.name, None),
        (replay, original.name),
    ]
    listed = cachao("executions", "--order", order_id, json=True).data["executions"]
    assert [one["replay_of"] for one in listed] == [original.name, None]
    # Among too many it is not found; then what is printed is said to be a beginning.
    monkeypatch.setattr(executions, "LOOKED_THROUGH", 0)
    assert cachao("show", replay, json=True).data["replay_of"] is None
    assert f"whose name begins with {original.name[:69]}…" in cachao("show", replay).text


def on_a_terminal(width: int) -> tuple[Output, io.StringIO]:
    output, written = Output(), io.StringIO()
    output._answers = SafeConsole(file=written, force_terminal=True, no_color=True, width=width, highlight=False)
    return output, written


@pytest.mark.parametrize("width", [80, 120, 250])
def test_a_table_on_a_narrow_terminal_folds_its_prose_and_no_name(width: int) -> None:
    output, written = on_a_terminal(width)
    prose = "a sentence that is as long as sentences are at times, and longer than the terminal is wide, surely"
    rows = [["2026-11-21 23:39:02", "checkout.session.completed", prose, LONG]]
    output.answer(None, table("", "started (UTC)", "event", "why", "execution", rows=rows))
    lines = written.getvalue().splitlines()
    assert sum(LONG in line for line in lines) == 1
    assert sum("2026-11-21 23:39:02  checkout.session.completed  " in line for line in lines) == 1
    assert (prose in written.getvalue()) == (width == 250)  # else folded


def test_in_a_pipe_nothing_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    words = "word " * 100
    Output().answer(None, table("", "why", "execution", rows=[[words, LONG], ["short", "x"]]), "word " * 100)
    lines = capsys.readouterr().out.splitlines()
    assert f"{words.rstrip()}" in lines[1]
    assert LONG in lines[1]
    assert lines[3] == words.rstrip()
    assert not any(line.endswith(" ") for line in lines)


def test_an_input_in_full_is_not_folded_in_a_pipe(run: Run, cachao: Cachao, database: Database) -> None:
    name = "x " * 200
    ended = run(paid_event(database, create_order(database), customer_details={"email": "b@example.com", "name": name}))
    assert f'"name": "{name}"' in cachao("show", ended.name, "--full").text


def test_watching_on_a_narrow_terminal_breaks_no_name(cachao: Cachao, mismatched: tuple[int, Ended]) -> None:
    from cachao.aws.environment import Choice, find  # noqa: PLC0415 -- of this test only

    execution = executions.get(find(Choice()), mismatched[1].name)
    for width in (80, 300):
        written = io.StringIO()
        console = Console(file=written, force_terminal=True, no_color=True, width=width, highlight=False)
        console.print(_picture("shop", [Seen(execution, "LookUpOrder")], console))
        assert execution.name in written.getvalue()
