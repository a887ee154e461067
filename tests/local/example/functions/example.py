"""Handlers of the example stack: each does one thing that a Lambda can do, well or badly."""

import os
import sys
import time
from typing import Any


class OutOfSortsError(Exception):
    """An error of the application's own."""


def echo(event: Any, context: Any) -> Any:
    return {"event": event, "request_id": context.aws_request_id, "pid": os.getpid()}


def environment(event: Any, context: Any) -> Any:
    return {"variables": dict(os.environ), "directory": os.getcwd(), "arn": context.invoked_function_arn}


def fail(event: Any, context: Any) -> Any:
    print("about to fail")
    raise OutOfSortsError(event.get("message", "no message"))


def sleep(event: Any, context: Any) -> Any:
    time.sleep(event["seconds"])
    return {"slept": event["seconds"], "pid": os.getpid(), "left": context.get_remaining_time_in_millis()}


def leave(event: Any, context: Any) -> Any:
    sys.stdout.flush()
    os._exit(event["code"])


def large(event: Any, context: Any) -> Any:
    return "x" * event["bytes"]


def http(event: Any, context: Any) -> Any:
    return event.get("answer") or {"statusCode": 200, "body": "{}"}
