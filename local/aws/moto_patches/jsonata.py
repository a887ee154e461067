"""JSONata for moto's Step Functions engine, by the package jsonata-python.

What moto 5.2.5 lacks:
- an evaluator: its engine calls a function that is None;
- safe variables: it pastes them into the expression's text, strings without escaping, and evaluates the text
  up to three times. Here an expression is parsed once and gets its variables as values;
- AWS's functions `$parse`, `$hash`, `$uuid`, `$random(seed)` (and `$partition`, `$range` natively);
- errors: AWS reports `States.QueryEvaluationError`, moto `States.Runtime`.

AWS's documentation: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import copy
import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata

from local.aws.moto_patches.replacing import Replacements

_HASHES: Final = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
# Integers beyond this are not exact in JSONata (IEEE 754 doubles).
_LARGEST_EXACT: Final = 2**53


class UndefinedResultError(ValueError):
    """The expression is valid and found nothing; JSON has no word for that."""


class EvaluationError(ValueError):
    """The expression cannot be parsed or evaluated."""


def apply(replacements: Replacements) -> None:
    """Let moto evaluate JSONata."""
    replacements.set(moto_jsonata, "_eval_jsonata", lambda expression: evaluate(expression, {}))
    replacements.set(string_expression.StringJSONata, "_eval_body", _eval_string_jsonata)
    replacements.set(VariableStore, "get_assigned_variables", _get_assigned_variables)


def evaluate(expression: str, variables: Mapping[str, object]) -> Any:  # noqa: ANN401 - any JSON value
    """Evaluate an expression (without its `{% %}`) and return plain JSON data.

    Args:
        expression: the JSONata text.
        variables: values by name, without the `$`.

    Raises:
        UndefinedResultError: the result is undefined.
        EvaluationError: anything else that is wrong, in one sentence.
    """
    try:
        instance = copy.copy(_parse(expression))  # carries the state of one evaluation
        # The library looks up the running instance by thread; set it, or `$now()` is that of another one.
        Jsonata.CURRENT.jsonata = instance
        bound = {name: Utils.NULL_VALUE if value is None else value for name, value in variables.items()}
        result = instance.evaluate(None, {**_AWS_FUNCTIONS, **bound})
    except Exception as error:
        raise EvaluationError(str(error) or type(error).__name__) from error
    if result is None:
        raise UndefinedResultError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return _to_plain(result)


@lru_cache(maxsize=4096)
def _parse(expression: str) -> Any:  # noqa: ANN401 - jsonata ships no types
    parsed = Jsonata(expression)
    parsed.set_output_convert_nulls(False)  # keeps null and undefined apart
    return parsed


def _to_plain(value: Any) -> Any:  # noqa: ANN401
    """Turn jsonata's own lists, nulls and whole-numbered floats into what JSON would hold."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _LARGEST_EXACT else value
    if isinstance(value, Mapping):
        return {key: _to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_to_plain(item) for item in value]
    raise EvaluationError("the expression returned an unsupported result type, such as a function")


def _eval_string_jsonata(self: Any, env: Any) -> None:  # noqa: ANN401 - moto's own types
    """Evaluate `{% … %}` in a state of the running execution, and put the value on moto's stack."""
    expression = self.expression
    variables: dict[str, object] = {}
    if "$states" in expression:
        # What is not there in this field is undefined, as on AWS; moto keeps it as None.
        data = env.states._states_data  # noqa: SLF001
        variables["states"] = {
            key: value for key, value in data.items() if value is not None or key in {"input", "context"}
        }
    store = env.variable_store
    for scope in (store._outer_scope, store._inner_scope):  # noqa: SLF001
        variables.update({name: value for name, value in scope.items() if f"${name}" in expression})
    try:
        env.stack.append(evaluate(expression, variables))
    except UndefinedResultError as error:
        raise _query_evaluation_error(env, str(error)) from error
    except EvaluationError as error:
        field = env.next_field_name
        cause = (
            f"The JSONata expression '{expression}' specified for the field '{field}' "
            f"threw an error during evaluation. {error}"
        )
        raise _query_evaluation_error(env, cause) from error


def _query_evaluation_error(env: Any, cause: str) -> FailureEventException:  # noqa: ANN401
    error_name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EventDetails(
        evaluationFailedEventDetails=EvaluationFailedEventDetails(
            error=error_name.error_name, cause=cause, state=env.next_state_name or ""
        )
    )
    event = FailureEvent(
        env=env, error_name=error_name, event_type=HistoryEventType.EvaluationFailed, event_details=details
    )
    return FailureEventException(failure_event=event)


def _get_assigned_variables(self: Any) -> dict[str, str]:  # noqa: ANN401
    """Variables for the history, as JSON; moto leaves strings unescaped."""
    return {name: json.dumps(self.get(name), default=str) for name in self._declaration_tracing}


def _aws_parse(text: object = None) -> object:
    if text is None:
        return None
    if not isinstance(text, str):
        raise EvaluationError("the argument of $parse is not a string")
    value = json.loads(text)
    return Utils.NULL_VALUE if value is None else value


def _aws_hash(value: object = None, algorithm: str = "SHA-256") -> str:
    if algorithm not in _HASHES:
        raise EvaluationError(f"$hash knows {', '.join(_HASHES)}")
    text = value if isinstance(value, str) else json.dumps(_to_plain(value), separators=(",", ":"))
    return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _aws_partition(array: Sequence[object], size: float) -> list[list[object]]:
    step = math.trunc(size)
    if step < 1:
        raise EvaluationError("$partition needs a chunk size of at least 1")
    return [list(array[start : start + step]) for start in range(0, len(array), step)]


def _aws_range(first: int, last: int, step: int) -> list[int]:
    if step == 0:
        raise EvaluationError("$range needs a step other than 0")
    return list(range(first, last + (1 if step > 0 else -1), step))


def _aws_random(seed: object = None) -> float:
    return random.random() if seed is None else random.Random(str(seed)).random()  # noqa: S311 - JSONata's $random


def _aws_eval(*_arguments: object) -> None:
    raise EvaluationError("$eval is not available in Step Functions; use $parse")


def _functions(**implementations: Callable[..., object]) -> dict[str, object]:
    return {name: Jsonata.JLambda(implementation) for name, implementation in implementations.items()}


_AWS_FUNCTIONS: Final = _functions(
    parse=_aws_parse,
    hash=_aws_hash,
    partition=_aws_partition,
    range=_aws_range,
    random=_aws_random,
    uuid=lambda: str(uuid.uuid4()),
    eval=_aws_eval,
)
