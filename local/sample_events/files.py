"""The files of events/: each sample as EventBridge delivers it, and as `aws events put-events` takes it."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from local.sample_events.cases import SAMPLES, Sample
from ticketing.stripe_events import OWN_SOURCE, PARTNER_SOURCE_PREFIX

# The bus has the partner event source's name. It stands for that of a real destination: see events/README.md.
PARTNER_SOURCE: Final = f"{PARTNER_SOURCE_PREFIX}ed_test_SAMPLE"
FORMS: Final = {"partner": (PARTNER_SOURCE, PARTNER_SOURCE), "default": (OWN_SOURCE, "default")}
INDEX_BEGIN, INDEX_END = "<!-- index: written by python -m local.sample_events -->", "<!-- end of the index -->"

_ACCOUNT, _REGION, _TIME = "123456789012", "eu-west-1", "2026-11-21T12:00:02Z"


def envelope(sample: Sample, form: str) -> dict[str, Any]:
    """Give a sample as the workflow gets it; `form` is `partner` or `default`."""
    source, _ = FORMS[form]
    partner = form == "partner"
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{form}/{sample.name}")),
        "detail-type": sample.event_type,
        "source": source,
        "account": _ACCOUNT,
        "time": _TIME,
        "region": _REGION,
        "resources": [f"arn:aws:events:{_REGION}::event-source/{source}"] if partner else [],
        "detail": sample.detail,
    }


def entries(sample: Sample, form: str) -> list[dict[str, Any]]:
    """Give a sample as `aws events put-events --entries` takes it."""
    source, bus = FORMS[form]
    return [
        {
            "Source": source,
            "DetailType": sample.event_type,
            "Detail": json.dumps(sample.detail),
            "EventBusName": bus,
        }
    ]


def index() -> str:
    """Give the table of events/README.md, in Markdown."""
    lines = ["| File | Shows | Send before | Ends as |", "|---|---|---|---|"]
    for sample in SAMPLES:
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
    """Give the text of each file by its path within events/."""
    files = {}
    for form in FORMS:
        for sample in SAMPLES:
            files[f"{form}/{sample.name}.json"] = _text(envelope(sample, form))
            files[f"put-events/{form}/{sample.name}.json"] = _text(entries(sample, form))
    return files


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
