"""The reference implementation of JSONata, at the version that AWS documents, in one Node.js process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.reference.tools import HERE, installed_tools

# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html: "according to the 2.0.6 specification".
VERSION: Final = "2.0.6"


@dataclass(frozen=True)
class Undefined:
    """The expression found nothing."""


@dataclass(frozen=True)
class Failed:
    """It could not be evaluated: JSONata's code (`T2001`), where it has one, and its words."""

    code: str | None
    message: str


@dataclass(frozen=True)
class Value:
    """Plain JSON data."""

    value: Any


Answer = Value | Undefined | Failed


class ReferenceJsonata:
    """The process; `close` ends it."""

    def __init__(self) -> None:
        """Start it. Raises `ToolsMissing` where there is no Node.js."""
        tools = installed_tools()
        self._process = subprocess.Popen(
            ["node", str(HERE / "jsonata.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": str(tools / "node_modules")},
        )
        self.evaluations = 0

    def evaluate(self, expression: str, variables: Mapping[str, object], *, now: float) -> Answer:
        """Evaluate an expression without its `{% %}`; `now` in milliseconds since 1970."""
        request = json.dumps({"expression": expression, "variables": variables, "now": round(now)})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()
        self.evaluations += 1
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "undefined" in answer:
            return Undefined()
        return Failed(**answer["error"]) if "error" in answer else Value(answer["value"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()
