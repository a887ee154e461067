"""`cachao counts --history`: who changed a counter, a limit or a sale, when, why and by how much."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rich.console import RenderableType

from cachao.command_context import CommandContext
from cachao.problems import CANNOT_REACH, Problem
from cachao.view.output import escape, moment, table
from cachao.view.spreadsheet import refuse_json_and_csv, write_csv

_COLUMNS: Final = (
    "id", "corrected_at", "kind", "counter_id", "counted_change", "held_change", "limit_before", "limit_after",
    "sale_after", "corrected_by", "reason",
)  # fmt: skip


def show_history(context: CommandContext, wanted: dict[str, Any], *, as_csv: bool) -> None:
    """Show it as a table, JSON or CSV; `wanted` is the function's: `kind` and `counter_id`, or nothing for all.

    Raises:
        Problem: JSON and CSV were asked for, or the deployed function is older.
    """
    if as_csv:
        refuse_json_and_csv(context.output)
    result = context.environment.invoke("InspectOrderFunction", {"counter_history": wanted}).get("counter_history")
    if result is None:
        raise Problem(
            "The deployed InspectOrderFunction cannot list corrections of counters: its version is older.",
            advice="Deploy this version (docs/deploy.md).",
            exit_code=CANNOT_REACH,
        )
    made = result["corrections"]
    if as_csv:
        write_csv(context.output, _COLUMNS, ([_exported(one, name) for name in _COLUMNS] for one in made))
    else:
        context.output.answer(result, _table(made) if made else "Nobody has corrected it.")
    if result["more"]:
        context.output.note(f"There are older ones than these {len(made)}.")


def _exported(made: dict[str, Any], name: str) -> Any:  # noqa: ANN401 -- a column's
    return datetime.fromisoformat(made[name]) if name == "corrected_at" else made[name]


def _table(made: list[dict[str, Any]]) -> RenderableType:
    rows = [
        [
            str(one["id"]),
            moment(datetime.fromisoformat(one["corrected_at"])),
            f"{one['kind']} {one['counter_id']}",
            "; ".join(_changes(one)),
            escape(one["corrected_by"]),
            escape(one["reason"]),
        ]
        for one in made
    ]
    return table("Corrections, the newest first", "no.", "when (UTC)", "of", "what", "who", "why", rows=rows)


def _changes(one: dict[str, Any]) -> list[str]:
    counted = "sold" if one["kind"] == "ticket" else "used"
    said = [
        f"{words} {one[name]:+}" for words, name in ((counted, "counted_change"), ("held", "held_change")) if one[name]
    ]
    if one["limit_before"] != one["limit_after"]:
        said.append(f"limit {_limit(one['limit_before'])} -> {_limit(one['limit_after'])}")
    if one["sale_after"] is not None:
        said.append("on sale again" if one["sale_after"] else "taken off sale")
    return said


def _limit(limit: int | None) -> str:
    return "none" if limit is None else str(limit)
