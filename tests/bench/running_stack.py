"""Measures `make run` from outside, of this tree or of another one: its memory at rest, and a burst of executions."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from tests.bench.orders import TOTAL_MINOR, HotTicket, create_hot_ticket, create_pending_orders, session_id
from tests.bench.workers import ROOT

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_START_SECONDS: Final = 240.0
_SETTLE_SECONDS: Final = 20.0
_BURST_SECONDS: Final = 300.0
# What PutEvents takes at once.
_AT_ONCE: Final = 10


@dataclass(frozen=True)
class Measured:
    """Of one run: megabytes at rest, and seconds for a burst with cold and then with warm functions."""

    rest_mb: float
    cold_seconds: float
    warm_seconds: float


def measure_stack(tree: Path, *, executions: int) -> Measured:
    """Start `make run` of a tree in a folder of its own, measure it, and stop it."""
    folder = Path(tempfile.mkdtemp(prefix="cachao-bench-"))
    command: list[str | Path] = [tree / ".venv/bin/python", "-m", "local", "run", "--directory", folder / "local"]
    process = subprocess.Popen(command, cwd=tree, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        stack = _described(folder / "local" / "stack.json", process)
        time.sleep(_SETTLE_SECONDS)
        rest = _megabytes(process.pid)
        return Measured(rest, _burst(stack, executions), _burst(stack, executions))
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _described(file: Path, process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + _START_SECONDS
    while not file.exists():
        assert process.poll() is None, "it ended before it said its addresses"
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.1)
    return json.loads(file.read_text(encoding="utf-8"))


def _burst(stack: Mapping[str, Any], executions: int) -> float:
    """Put events of so many payments as fast as the bus takes them; gives the seconds until all are counted."""
    database = stack["database"]
    connection: Connection[Cursor] = pymysql.connect(
        host=database["host"],
        port=database["port"],
        user=database["user"],
        password=database["password"],
        database=database["name"],
        autocommit=True,
    )
    with contextlib.closing(connection):
        ticket = create_hot_ticket(connection)
        entries = [_entry(stack, order_id) for order_id in create_pending_orders(connection, ticket, executions)]
        events = boto3.client(
            "events",
            endpoint_url=stack["aws_endpoint_url"],
            region_name=stack["region"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        began = time.monotonic()
        for first in range(0, executions, _AT_ONCE):
            assert events.put_events(Entries=entries[first : first + _AT_ONCE])["FailedEntryCount"] == 0
        while (counted := _counted(connection, ticket)) < executions:
            assert time.monotonic() < began + _BURST_SECONDS, f"only {counted} of {executions} were counted"
            time.sleep(0.05)
        return time.monotonic() - began


def _entry(stack: Mapping[str, Any], order_id: int) -> PutEventsRequestEntryTypeDef:
    event = copy.deepcopy(
        json.loads((ROOT / "events" / "checkout.session.completed.json").read_text(encoding="utf-8"))["detail"]
    )
    event["id"] = f"evt_burst{order_id}"
    event["data"]["object"] |= {
        "id": session_id(order_id),
        "payment_intent": f"pi_burst{order_id}",
        "metadata": {"order_id": str(order_id)},
        "amount_subtotal": TOTAL_MINOR,
        "amount_total": TOTAL_MINOR,
        "currency": "eur",
        "payment_status": "paid",
    }
    bus = stack["partner_event_bus"]
    return {"Source": bus, "EventBusName": bus, "DetailType": event["type"], "Detail": json.dumps(event)}


def _counted(connection: Connection[Cursor], ticket: HotTicket) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM ticket_orders WHERE ticket_id = %s AND ticket_counted_at IS NOT NULL"
            " AND discount_counted_at IS NOT NULL",
            (ticket.ticket_id,),
        )
        [counted] = cursor.fetchone() or (0,)
    return int(counted)


def _megabytes(root: int) -> float:
    """Add up the proportional set sizes (Linux) of a process and all that come of it."""
    children: dict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            children[parent].append(int(status.parent.name))
    total, todo = 0, [root]
    while todo:
        process = todo.pop()
        todo += children[process]
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024
