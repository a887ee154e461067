"""HTTP as a browser speaks it, on kept connections; counts what was answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back: the JSON's fields where it is JSON, where it leads on where it is a redirect."""

    status: int
    fields: Mapping[str, Any]
    location: str

    @property
    def code(self) -> str:
        """What went wrong, by the shop's own name for it."""
        return str(self.fields.get("code", ""))


class Wire:
    """Connections of all threads. Thread-safe."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {}

    def get(self, what: str, url: str, headers: Mapping[str, str]) -> Answer:
        return self._ask(what, "GET", url, None, headers)

    def post_json(self, what: str, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        return self._ask(what, "POST", url, json.dumps(body), {**headers, "Content-Type": "application/json"})

    def post_form(self, what: str, url: str, form: Mapping[str, str]) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask(what, "POST", url, urlencode(form), kind)

    def _ask(self, what: str, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        began = time.monotonic()
        answer = self._sent(method, url, body, headers)
        taken = time.monotonic() - began
        with self._lock:
            self.answers[f"{what}: {answer.status} {answer.code}".rstrip()] += 1
            if answer.status == http.client.OK:
                self.seconds.setdefault(what, []).append(taken)
        return answer

    def _sent(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        for may_repeat in (True, False):
            connection, is_kept = self._connection(parts.netloc)
            try:
                connection.request(method, path, body, dict(headers))
                reply = connection.getresponse()
                return _answer(reply, reply.read())
            except (OSError, http.client.HTTPException):
                # A server may close a kept connection at any time; a browser asks again then, too.
                self._mine.connections.pop(parts.netloc).close()
                if not (may_repeat and is_kept):
                    raise
        raise AssertionError

    def _connection(self, place: str) -> tuple[http.client.HTTPConnection, bool]:
        connections: dict[str, http.client.HTTPConnection] = self._mine.__dict__.setdefault("connections", {})
        if place in connections:
            return connections[place], True
        connections[place] = http.client.HTTPConnection(place, timeout=_SECONDS)
        return connections[place], False


def _answer(reply: http.client.HTTPResponse, text: bytes) -> Answer:
    fields: Any = json.loads(text) if reply.headers.get_content_type() == "application/json" and text else {}
    return Answer(reply.status, fields if isinstance(fields, dict) else {}, reply.headers.get("location", ""))
