"""A worker of which Lambda takes a snapshot, under AWS's own runtime client. `fork` restores it twice.

It has answered a request before the snapshot: no function of ours does, but then it has all that must not be used
after it. Each answer says where the worker connected to since the snapshot, and what it drew by chance.
"""

from __future__ import annotations

import json
import os
import random
import sys
from typing import Any

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

from handlers.api import create_checkout
from handlers.runtime import database

_connected: list[int] = []


def handler(event: Any, context: Any) -> Any:
    drawn = random.random()
    reply = create_checkout.handler(event, context)
    assert database._connection is not None
    return {
        "reply": reply,
        "drawn": drawn,
        "connected": sorted(set(_connected)),
        "thread": database._connection.thread_id(),  # type: ignore[no-untyped-call]
        "pid": os.getpid(),
    }


class ForkedRuntime(LambdaRuntimeClient):  # type: ignore[misc] # awslambdaric is untyped
    """What follows `restore_next` happens in each copy."""

    def restore_next(self) -> None:
        super().restore_next()
        _connected.clear()
        state = random.getstate()
        for _ in range(2):
            if os.fork() == 0:
                random.setstate(state)  # Python seeds anew behind a fork; behind a snapshot it does not
                return
        for _ in range(2):
            os.wait()
        os._exit(0)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        _connected.append(arguments[1][1])


if __name__ == "__main__":
    sys.addaudithook(_note)
    sys.modules["snapshot_worker"] = sys.modules["__main__"]
    random.seed(1)
    before = handler(json.loads(sys.argv[1]), None)
    assert before["reply"]["statusCode"] == 200, before
    print(json.dumps(before), flush=True)
    bootstrap.run("snapshot_worker.handler", ForkedRuntime(os.environ["AWS_LAMBDA_RUNTIME_API"]))
