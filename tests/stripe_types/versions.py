"""What five releases of the `stripe` package say of the objects that the shop's events carry: `versions.json`.

    python tests/stripe_types/versions.py

asks pip for each release (into a folder of its own), has `dump.py` read its annotations, and writes versions.json
anew: for each object its fields that are always there, with their types, and the names of the others; of the fields
that the shop reads the type as well. It is written once; tests read the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

FILE: Final = Path(__file__).with_name("versions.json")
RELEASES: Final = ("11.6.1", "12.5.2", "14.4.2", "15.6.2", "16.1.0")
# By what an object says of itself.
OBJECTS: Final = {
    "checkout.session": "checkout.Session",
    "charge": "Charge",
    "refund": "Refund",
    "dispute": "Dispute",
    "event": "Event",
}
# What the shop reads, of whatever object; the other fields are named only.
_READ: Final = frozenset(
    {
        "account", "amount", "amount_refunded", "amount_total", "charge", "context", "currency", "currency_conversion",
        "due_by", "evidence_details", "metadata", "mode", "payment_intent", "payment_status", "presentment_amount",
        "presentment_currency", "presentment_details", "reason", "source_currency", "status",
    }
)  # fmt: skip
_PROBE: Final = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
import dump, stripe
from stripe._api_version import _ApiVersion

def thin(event_type):
    return "".join(word.title() for word in f"v1.{event_type}".replace(".", "_").split("_")) + "Event"

types = sys.argv[2].split(",")
json.dump(
    {
        "api_version": _ApiVersion.CURRENT,
        "objects": dump.dump(sys.argv[3].split(",")),
        "thin": [kind for kind in types if dump.has(f"events.{thin(kind)}")],
    },
    sys.stdout,
)
"""


def probe(release: str, types: list[str]) -> Json:
    """Read one release's annotations."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*install, f"stripe=={release}"], check=True)
        found = subprocess.run(
            [sys.executable, "-c", _PROBE, str(FILE.parent), ",".join(types), ",".join(OBJECTS.values())],
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            check=True,
        )
    said: Json = json.loads(found.stdout)
    said["objects"] = {name: _small(said["objects"][kind]["fields"]) for name, kind in OBJECTS.items()}
    return said


def _small(fields: Json) -> Json:
    """Leave the types of what is always there, and of what the shop reads; of the others the names."""
    kept = {name: _type(field["type"]) for name, field in fields.items() if not field["optional"] or name in _READ}
    others = [name for name, field in fields.items() if field["optional"] and name not in _READ]
    optional = [name for name, field in fields.items() if field["optional"] and name in _READ]
    return {"fields": kept, "may_be_null": sorted(optional), "others": sorted(others)}


def _type(described: Json) -> Json:
    if described["kind"] == "object":
        return {"kind": "object", **_small(described["fields"])}
    if described["kind"] == "union":
        return {"kind": "union", "of": [_type(choice) for choice in described["of"]]}
    if "of" in described:
        return {**described, "of": _type(described["of"])}
    return described


def as_dumped(small: Json) -> Json:
    """Give an object of versions.json in the form of `dump.py`; what is only named may be anything."""
    fields = {
        name: {"type": _whole(kind), "optional": name in small["may_be_null"]} for name, kind in small["fields"].items()
    }
    fields |= {name: {"type": {"kind": "any"}, "optional": True} for name in small["others"]}
    return {"kind": "object", "fields": fields}


def _whole(kind: Json) -> Json:
    if kind["kind"] == "object":
        return as_dumped(kind)
    if kind["kind"] == "union":
        return {"kind": "union", "of": [_whole(choice) for choice in kind["of"]]}
    return {**kind, "of": _whole(kind["of"])} if "of" in kind else kind


def main() -> None:
    """Write the file anew."""
    sys.path.insert(0, str(FILE.parents[2] / "functions"))
    from ticketing.stripe.event_types import HANDLED_EVENTS  # noqa: PLC0415 - found by the line above

    lines = []
    for release in RELEASES:
        said = probe(release, sorted(HANDLED_EVENTS))
        objects = ",\n".join(
            f"   {json.dumps(name)}: {json.dumps(kind, sort_keys=True)}" for name, kind in said["objects"].items()
        )
        lines.append(
            f' {json.dumps(release)}: {{\n  "api_version": {json.dumps(said["api_version"])},\n'
            f'  "thin": {json.dumps(said["thin"])},\n  "objects": {{\n{objects}\n  }}\n }}'
        )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
