"""`python -m local sample-events`: a sample event in another form, or all samples written anew."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from local.sample_events.forms import FORMS, in_form

_ENVELOPE = {"source", "detail-type", "detail"}


def add_sample_events_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sample-events` to the commands of `python -m local`."""
    parser = commands.add_parser(
        "sample-events",
        help="print an event of events/ in another form, or write the samples anew",
        description="Prints an EventBridge envelope in another form. Exit codes: 0 done, 2 wrong usage or no envelope.",
    )
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="an envelope, as those of events/")
    parser.add_argument("--as", dest="form", choices=FORMS, default="put-events", help="default: %(default)s")
    parser.add_argument("--bus", metavar="NAME", help="the partner event bus to put it on, instead of the default bus")
    parser.add_argument("--write", action="store_true", help="write events/ and its index from local/sample_events/")
    parser.set_defaults(run=run_sample_events)


def run_sample_events(given: argparse.Namespace) -> int:
    """Write the samples, or print one; returns the exit code."""
    # Imported late: nobody who asks for help or another command needs all samples made.
    from local.sample_events.files import FOLDER, as_text, write  # noqa: PLC0415

    if given.write == (given.file is not None):
        print("Give a FILE of events/, or --write.", file=sys.stderr)
        return 2
    if given.write:
        print(f"{write()} files in {FOLDER}")
        return 0
    try:
        envelope = json.loads(given.file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{given.file} cannot be read as JSON: {error}", file=sys.stderr)
        return 2
    if not isinstance(envelope, dict) or not envelope.keys() >= _ENVELOPE:
        print(f"{given.file} is no EventBridge envelope: it needs {', '.join(sorted(_ENVELOPE))}.", file=sys.stderr)
        return 2
    print(as_text(in_form(envelope, given.form, given.bus)), end="")
    return 0
