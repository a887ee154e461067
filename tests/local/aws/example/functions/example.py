"""Handlers of the example stack: each does one thing that a Lambda can do, well or badly."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


class OutOfSortsError(Exception):
    """An error of the application's own."""


def echo(event: Any, context: Any) -> Any:
    return {"event": event, "request_id": context.aws_request_id, "pid": os.getpid()}


def environment(event: Any, context: Any) -> Any:
    return {"variables": dict(os.environ), "directory": str(Path.cwd()), "arn": context.invoked_function_arn}


def fail(event: Any, context: Any) -> Any:
    sys.stdout.write("about to fail\n")
    raise OutOfSortsError(event.get("message", "no message"))


def sleep(event: Any, context: Any) -> Any:
    if "begun" in event:
        Path(event["begun"]).touch()
    while "until" in event and not Path(event["until"]).exists():
        time.sleep(0.01)
    time.sleep(event["seconds"])
    return {
        "slept": event["seconds"],
        "pid": os.getpid(),
        "left": context.get_remaining_time_in_millis(),
        "request_id": context.aws_request_id,
    }


def leave(event: Any, context: Any) -> Any:
    sys.stdout.flush()
    os._exit(event["code"])


def large(event: Any, context: Any) -> Any:
    return "x" * event["bytes"]


def sleep_for_body(event: Any, context: Any) -> Any:
    time.sleep(float(event["body"]))
    return {"statusCode": 204}


def http(event: Any, context: Any) -> Any:
    return json.loads(event.get("body") or '{"statusCode": 200, "body": "fine"}')
