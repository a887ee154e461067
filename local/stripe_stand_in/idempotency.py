"""Idempotency keys: the first answer is kept for 24 hours and given again.

Source: docs.stripe.com/api/idempotent_requests. Kept is what the endpoint answered once it began its
work, errors and 500s included; what was refused before that is not kept.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import ApiError, invalid_parameter
from local.stripe_stand_in.json_object import JsonObject

KEPT_SECONDS = 24 * 3600
_LONGEST_KEY = 255


@dataclass(frozen=True)
class Call:
    """A POST with an idempotency key."""

    api_key: str
    key: str
    path: str
    parameters: JsonObject


@dataclass(frozen=True)
class SavedAnswer:
    """What the first request with this key was answered."""

    request_id: str
    status: int
    body: JsonObject


class IdempotencyKeys:
    """The keys that were used, and those in use at this moment."""

    def __init__(self, context: Context) -> None:
        """Take the stand-in's state."""
        self._context = context
        self._in_use: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def use(self, call: Call) -> Iterator[SavedAnswer | None]:
        """Hold a key while its request runs; yields the saved answer when there is one.

        Raises:
            ApiError: 409 when another request holds it; 400 when it was used for something else.
        """
        if len(call.key) > _LONGEST_KEY:
            raise invalid_parameter(
                f"Idempotency keys can be up to {_LONGEST_KEY} characters long.",
                None,
            )
        held = (call.api_key, call.key)
        with self._lock:
            if held in self._in_use:
                raise ApiError(
                    "There is currently another in-progress request using this Stripe Idempotent Key (that"
                    " probably means you submitted twice, and the other request is still going through):"
                    f" {call.key}. If you meant to execute a different request, use a different key.",
                    status=HTTPStatus.CONFLICT,
                    error_type="idempotency_error",
                    code="idempotency_key_in_use",
                    saved=False,
                )
            self._in_use.add(held)
        try:
            yield self._find(call)
        finally:
            with self._lock:
                self._in_use.discard(held)

    def _find(self, call: Call) -> SavedAnswer | None:
        with self._context.store.transaction() as connection:
            row = connection.execute(
                "SELECT path, parameters, request_id, status, body FROM idempotency_keys"
                " WHERE api_key = ? AND idempotency_key = ? AND created > ?",
                (call.api_key, call.key, self._context.clock() - KEPT_SECONDS),
            ).fetchone()
        if row is None:
            return None
        path, parameters, request_id, status, body = row
        if path != call.path:
            raise _conflict(f"for the same endpoint they were first used for ('{call.path}' vs '{path}')", call)
        if parameters != _canonical(call.parameters):
            raise _conflict("with the same parameters they were first used with", call)
        return SavedAnswer(request_id, status, json.loads(body))

    def save(self, call: Call, answer: SavedAnswer) -> None:
        """Keep an answer, in the transaction that did the work."""
        with self._context.store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO idempotency_keys"
                " (api_key, idempotency_key, created, path, parameters, request_id, status, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    call.api_key,
                    call.key,
                    self._context.clock(),
                    call.path,
                    _canonical(call.parameters),
                    answer.request_id,
                    answer.status,
                    json.dumps(answer.body),
                ),
            )


def _conflict(rule: str, call: Call) -> ApiError:
    return ApiError(
        f"Keys for idempotent requests can only be used {rule}. Try using a key other than '{call.key}' if you"
        " meant to execute a different request.",
        error_type="idempotency_error",
        saved=False,
    )


def _canonical(parameters: JsonObject) -> str:
    return json.dumps(parameters, sort_keys=True)
