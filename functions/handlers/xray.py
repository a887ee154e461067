"""Annotates the trace that Lambda takes of a sampled invocation, without the X-Ray SDK (which ends in February 2027).

A subsegment of its own goes to the daemon that Lambda runs beside a traced function, in one datagram:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon, its fields:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Mapping

_HEADER = b'{"format": "json", "version": 1}\n'


def annotate(trace: str, daemon: str, annotations: Mapping[str, str | int]) -> None:
    """Send a subsegment `task` with these annotations.

    `trace` is Lambda's (`Root=…;Parent=…;Sampled=1`), `daemon` is `host:port`.

    Raises:
        KeyError: the trace has no root or parent.
        OSError: the datagram could not be sent.
        ValueError: the daemon's address is none.
    """
    parts = dict(part.partition("=")[::2] for part in trace.split(";"))
    now = time.time()
    subsegment = {
        "name": "task",
        "type": "subsegment",
        "id": secrets.token_hex(8),
        "trace_id": parts["Root"],
        "parent_id": parts["Parent"],
        "start_time": now,
        "end_time": now,
        "annotations": annotations,
    }
    host, _, port = daemon.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # noqa: FBT003 -- the socket module's own signature
        sender.sendto(_HEADER + json.dumps(subsegment).encode(), (host, int(port)))
