"""Reads everything that is logged, and finds what must not be in it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from handlers import runtime

# Keys of Stripe's objects and of requests under which a buyer, a secret or a token is.
_PERSONAL = frozenset(
    {
        "city",
        "client_secret",
        "customer_email",
        "email",
        "line1",
        "line2",
        "name",
        "phone",
        "postal_code",
        "receipt_email",
    }
)
_SHORTEST = 5
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
# A token begins so; a Checkout Session's random id may have the same letters inside.
_SECRET = re.compile(r"whsec_|sk_test_|sk_live_|Bearer |\beyJ[A-Za-z0-9_-]{8}")


class LogGuard(io.StringIO):
    """A stream for loggers. `forbidden` are texts of buyers that no line may have."""

    def __init__(self, forbidden: Iterable[str]) -> None:
        super().__init__()
        self._forbidden = sorted({text for text in forbidden if len(text) >= _SHORTEST})
        self.lines = 0

    def check(self) -> None:
        """Read what was written since the last check, and forget it."""
        written = self.getvalue()
        self.seek(0)
        self.truncate()
        for line in written.splitlines():
            self.lines += 1
            assert isinstance(json.loads(line), dict), f"a log line is no JSON object: {line[:200]}"
            found = _ADDRESS.search(line) or _SECRET.search(line)
            assert found is None, f"{found[0]!r} is in a log line: {line[:600]}"
            lower = line.lower()
            for text in self._forbidden:
                assert text.lower() not in lower, f"{text!r} is in a log line: {line[:600]}"


@contextlib.contextmanager
def everything_logged_to(guard: LogGuard) -> Iterator[None]:
    """Write there what our functions log, and what any other package does: Lambda's runtime takes that from INFO on."""
    root, ours = logging.getLogger(), runtime.logger.registered_handler
    as_the_runtime_does = logging.StreamHandler(guard)
    as_the_runtime_does.setFormatter(JsonFormatter())  # ends its lines itself
    as_the_runtime_does.terminator = ""
    as_the_runtime_does.addFilter(lambda record: record.name != runtime.logger.name)  # Powertools keeps its own apart
    assert isinstance(ours, logging.StreamHandler)
    level, stream = root.level, ours.setStream(guard)
    root.addHandler(as_the_runtime_does)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(as_the_runtime_does)
        ours.setStream(stream)


def personal_texts(value: Any) -> Iterator[str]:
    """Give the texts of an object that are about a person or open something."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in _PERSONAL and isinstance(part, str):
                yield part
            yield from personal_texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from personal_texts(part)
