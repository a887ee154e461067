"""`cachao event`: puts an event on the bus that it belongs to, and follows the execution that it starts."""

from __future__ import annotations

import json
import sys
import time
import uuid
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.command_context import CommandContext
from cachao.problems import BROKEN, STILL_RUNNING, USAGE, Problem
from cachao.view import executions as execution_view
from cachao.view.output import escape
from ticketing.event_bus import BusEvent, EventBridgeBus
from ticketing.stripe.event_types import OBJECT_OF, OWN_SOURCE, PARTNER_SOURCE_PREFIX, RECEIVED_EVENTS
from ticketing.stripe.thin_events import THIN

_LOOK_EVERY_SECONDS: Final = 0.5
_NEWEST: Final = 100


def event(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="An EventBridge envelope, or a Stripe event; - reads stdin.")],
    *,
    as_type: Annotated[
        str | None,
        typer.Option("--as", help="The file is an object as Stripe's API shows it: send it as an event of this type."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for its execution; 0: do not wait.")] = 120,
) -> None:
    """Send an event through EventBridge, as its sender would, and show the execution that it starts.

    On AWS nobody but Stripe can put events of the source aws.partner/…: there such an event is sent over the default
    bus as source stripe.com, which starts the same workflow.

    [bold]Examples[/bold]

        cachao event events/checkout.session.completed.json

        stripe events retrieve evt_… | cachao event - --yes

        stripe refunds retrieve re_… | cachao event - --as refund.created --yes
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    livemode = environment.parameters.get("StripeLivemode") == "true"
    envelope = _read(file) if as_type is None else _event_of(_json(file), as_type, livemode=livemode)
    source, bus = _way(environment, envelope, output.note)
    what = f"{envelope['detail-type']} {envelope['detail'].get('id')} as {source} on the bus {bus}"
    if dry_run:
        output.answer(
            {"dry_run": True, "detail_type": envelope["detail-type"], "source": source, "bus": bus},
            escape(f"It would put {what} of {environment.name}."),
        )
        return
    output.confirm(
        f"Put {what} of {environment.name}?",
        yes=yes or environment.is_local,
    )
    event_id = _put(environment, envelope, source, bus)
    output.note(f"EventBridge accepted it as event {event_id}.")
    execution = _execution_of(environment, event_id, wait) if wait else None
    if execution is None:
        output.answer({"event_id": event_id, "execution": None})
        if wait:
            raise Problem(
                f"Event {event_id} started no execution within {wait:.0f} s.",
                advice="Run cachao doctor to see where it got stuck."
                if envelope["detail-type"] in RECEIVED_EVENTS
                else f"The rules do not match events of the type {envelope['detail-type']}.",
            )
        return
    timeline = executions.timeline(environment, execution)
    output.answer(
        {"event_id": event_id, **execution_view.as_data(execution, timeline)},
        *execution_view.render(execution, timeline),
    )
    if execution.failed:
        raise typer.Exit(BROKEN)
    if execution.status == executions.RUNNING:
        output.note(f"It still runs. To see how it ends, run: cachao show {execution.name}")
        raise typer.Exit(STILL_RUNNING)


def _json(file: Path) -> Any:  # noqa: ANN401 -- whatever is in it
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{file} cannot be read as JSON: {error}", exit_code=USAGE) from None


def _event_of(found: object, event_type: str, *, livemode: bool) -> dict[str, Any]:
    """Make an event of an object, for what happened too long ago: Stripe lists its events for 30 days."""
    kind = found.get("object") if isinstance(found, dict) else None
    if kind is None or OBJECT_OF.get(event_type) != kind:
        raise Problem(
            f"An event {event_type} is not about {kind or 'what this is'}.",
            advice="An object as Stripe's API shows it, and its type: "
            + ", ".join(f"{known} ({OBJECT_OF[known]})" for known in sorted(OBJECT_OF)),
            exit_code=USAGE,
        )
    detail = {
        # Of its own, so that nothing takes it for a repeat.
        "id": f"evt_byhand{uuid.uuid4().hex}",
        "object": "event",
        "type": event_type,
        "created": int(time.time()),
        "livemode": livemode,
        "data": {"object": found},
    }
    return {"source": OWN_SOURCE, "detail-type": event_type, "detail": detail}


def _read(file: Path) -> dict[str, Any]:
    envelope = _json(file)
    if isinstance(envelope, dict) and envelope.get("object") in {"event", THIN}:
        envelope = {"source": OWN_SOURCE, "detail-type": envelope.get("type"), "detail": envelope}
    if not (
        isinstance(envelope, dict)
        and isinstance(envelope.get("source"), str)
        and isinstance(envelope.get("detail-type"), str)
        and isinstance(envelope.get("detail"), dict)
    ):
        raise Problem(
            f"{file} is neither an EventBridge envelope (source, detail-type, and an object detail) nor a Stripe event"
            ' ("object": "event", with its type).',
            advice="See the samples in events/, or: stripe events retrieve evt_…",
            exit_code=USAGE,
        )
    return envelope


def _way(environment: Environment, envelope: dict[str, Any], note: Any) -> tuple[str, str]:  # noqa: ANN401 -- a function
    source = envelope["source"]
    if not source.startswith(PARTNER_SOURCE_PREFIX):
        return source, "default"
    if environment.is_local and environment.event_source_name:
        return source, environment.event_source_name
    note(
        f"Only Stripe can put events of the source {source}: this one goes over the default bus"
        f" as {OWN_SOURCE}, which starts the same workflow."
    )
    return OWN_SOURCE, "default"


def _put(environment: Environment, envelope: dict[str, Any], source: str, bus: str) -> str:
    put = BusEvent(
        source=source,
        detail_type=envelope["detail-type"],
        detail=json.dumps(envelope["detail"]),
        resources=tuple(envelope.get("resources") or ()),
    )
    [result] = EventBridgeBus(environment.client("events"), bus, tries=1).put([put])
    if result.event_id is None:
        raise Problem(f"EventBridge refused the event: {result.error} {result.message}")
    return result.event_id


def _execution_of(environment: Environment, event_id: str, wait_seconds: float) -> Execution | None:
    """Wait for the execution that EventBridge names after the event, and for its end."""
    deadline = time.monotonic() + wait_seconds
    arn = None
    while time.monotonic() < deadline:
        arn = arn or _named_after(environment, event_id)
        execution = executions.describe(environment, arn) if arn else None
        if execution is not None and execution.status != executions.RUNNING:
            return execution
        time.sleep(_LOOK_EVERY_SECONDS)
    return executions.describe(environment, arn) if arn else None


def _named_after(environment: Environment, event_id: str) -> str | None:
    # It has only just started: it is on the first page, or not there yet.
    newest = islice(executions.listed(environment), _NEWEST)
    return next((str(found["executionArn"]) for found in newest if found["name"].startswith(event_id)), None)
