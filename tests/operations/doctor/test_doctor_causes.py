"""Each cause that the doctor can name is made by some test: a new one cannot be forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cachao.doctor
from cachao.doctor import counts

_NAME = re.compile(r"[a-z]+(?:_[a-z]+)*")


def _broken_by(call: ast.Call) -> Iterator[str]:
    """The cause in a call of `Finding` or of a module's `_broken`."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name == "Finding":
        given = call.args[3:4]  # link, state, says, cause
    elif name in {"_broken", "_orders"}:
        given = call.args[:2]  # perhaps the link, or the orders, come first
    else:
        return
    for argument in given:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and _NAME.fullmatch(argument.value):
            yield argument.value


def causes() -> set[str]:
    folder = Path(cachao.doctor.__path__[0])
    return {
        cause
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for cause in _broken_by(node)
    } | {cause for cause, _, _ in (*counts._TICKETS.values(), *counts._CODES.values())}


def asserted() -> set[str]:
    """The words that the doctor's other tests compare something with, or take out of what was found."""
    words = set()
    for file in Path(__file__).parent.glob("test_doctor*.py"):
        if file != Path(__file__):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words.add(node.value)
    return words


def test_the_causes_are_read_from_the_source() -> None:
    assert {"rule_missing", "wrong_mode", "backlog", "left_over_rule", "executions_slow"} <= causes()
    assert len(causes()) >= 50


@pytest.mark.parametrize("cause", sorted(causes()))
def test_each_cause_is_made_by_a_test(cause: str) -> None:
    assert cause in asserted()


RUNBOOK = (Path(cachao.__path__[0]).parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
# Where no row tells it: the third case has one cause.
ITS_OWN_CASE = {"order_id_missing"}
# A command, or another entry that has them.
_NEXT = re.compile(r"`(?:cachao|aws) [a-z]|\]\(#|The entry of the error|The same command|As before|doctor has the")


def rows() -> dict[str, str]:
    """What the runbook's tables of causes say is to be done, by cause."""
    found = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|.*\| (.+) \|$", RUNBOOK, re.MULTILINE)
    return {cause: repair for named, repair in found for cause in re.findall(r"`([a-z_]+)`", named)}


def test_the_runbook_has_a_row_for_each_cause_and_for_nothing_else() -> None:
    assert set(rows()) == causes() - ITS_OWN_CASE
    assert all(f"`{cause}`" in RUNBOOK for cause in ITS_OWN_CASE)


@pytest.mark.parametrize("cause", sorted(causes() - ITS_OWN_CASE))
def test_each_row_says_what_to_do_next(cause: str) -> None:
    assert _NEXT.search(rows()[cause]), rows()[cause]
