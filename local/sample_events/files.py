"""The files of events/: each sample once, as EventBridge delivers it over the partner bus; and their index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from local.sample_events.cases import SAMPLES, THIN_SAMPLES, Sample
from local.sample_events.forms import Form, in_form, partner_envelope

FOLDER: Final = Path(__file__).resolve().parents[2] / "events"
INDEX_BEGIN: Final = "<!-- index: written by python -m local sample-events --write -->"
INDEX_END: Final = "<!-- end of the index -->"


def envelope(sample: Sample, form: Form = "partner") -> dict[str, Any]:
    """Give a sample as the workflow gets it; `form` is `partner` or `default`."""
    given = in_form(partner_envelope(sample.name, sample.detail), form)
    if not isinstance(given, dict):
        raise TypeError(f"{form} is no envelope")
    return given


def index() -> str:
    """Give the table of events/README.md, in Markdown."""
    lines = ["| File | Shows | Send before | Ends as |", "|---|---|---|---|"]
    for sample in (*SAMPLES, *THIN_SAMPLES):
        after = f"`{sample.after}`" if sample.after else ""
        lines.append(f"| `{sample.name}` | {sample.shows} | {after} | `{sample.end}` |")
    return "\n".join(lines)


def with_index(readme: str) -> str:
    """Give events/README.md with its table written anew.

    Raises:
        ValueError: the lines between which it stands are missing.
    """
    before, begin, rest = readme.partition(INDEX_BEGIN)
    _, end, after = rest.partition(INDEX_END)
    if not (begin and end):
        raise ValueError(f"events/README.md needs the lines {INDEX_BEGIN} and {INDEX_END}")
    return f"{before}{begin}\n{index()}\n{end}{after}"


def all_files() -> dict[str, str]:
    """Give the text of each file by its name within events/."""
    return {f"{sample.name}.json": as_text(envelope(sample)) for sample in (*SAMPLES, *THIN_SAMPLES)}


def as_text(value: object) -> str:
    """Write JSON as it stands in the files."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> int:
    """Write the samples and the index anew, and remove samples that are no more; returns how many there are."""
    files = all_files()
    for path in folder.rglob("*.json"):
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    readme = folder / "README.md"
    readme.write_text(with_index(readme.read_text(encoding="utf-8")), encoding="utf-8")
    return len(files)
