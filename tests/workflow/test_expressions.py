"""Every JSONata expression of the definition gives the same on the local engine as on the reference implementation.

The inputs are those of executions: recorded ones, and ones in which a function or a sender gives something hostile.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from local.aws.lambda_answers import InvokeResult, function_error
from local.aws.moto_patches.jsonata import EvaluationError, UndefinedResultError, evaluate
from tests.reference.faults import Fault, ScriptedWorld, all_faults, all_inputs, answers_of
from tests.reference.interpreter import Evaluation
from tests.reference.jsonata import VERSION, Answer, Failed, ReferenceJsonata, Undefined, Value
from tests.reference.tools import installed_tools
from tests.sizes import size
from tests.workflow.conftest import OUTCOMES, Ended, Play, run_alone

# What people and programs put where a text is expected.
HOSTILE_TEXTS: Final = [
    "", " ", "a\nb", '"', "\\", '\\"', "'", "{% 1 %}", "$states.input", "*/", "äöü", "STRASSE straße", "İstanbul",
    "🎟️🎟", "a" * 3000, "🎟" * 150, "\u0000", "\u200b", "\u2028", "null", "[]", "1e400", " What to do now: ", "<b>&amp;",
    '{"errorMessage": "x", "errorType": "y"}', '"errorMessage": "a \\"b\\" c", "errorType": "z"', "Order 12 is paid.",
]  # fmt: skip
# Up to 15 digits, as JSONata writes them; of longer ones the local engine writes another form.
HOSTILE_NUMBERS: Final[list[Any]] = [0, -1, 0.1, -0.5, 1e-7, 1e21, 123456789012345, 1.005]


def given_of(ended: Ended) -> Any:
    return json.loads(ended.history[0]["executionStartedEventDetails"]["input"])


def local_answer(evaluation: Evaluation) -> Answer:
    """What the local engine makes of it."""
    try:
        return Value(evaluate(evaluation.expression, evaluation.variables))
    except UndefinedResultError:
        return Undefined()
    except EvaluationError as error:
        return Failed(None, str(error))


def differences(evaluations: list[Evaluation], seen: set[str]) -> Iterator[str]:
    for evaluation in evaluations:
        if "$now()" in evaluation.expression or "$millis()" in evaluation.expression:
            continue  # compared in executions, within some seconds
        key = json.dumps([evaluation.expression, evaluation.variables], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        here = local_answer(evaluation)
        if isinstance(here, Failed) and isinstance(evaluation.answer, Failed):
            continue  # each says it in its own words
        if json.dumps(vars(here)) != json.dumps(vars(evaluation.answer)) or type(here) is not type(evaluation.answer):
            yield (
                f"{evaluation.state} {evaluation.where}: {str(here)[:300]} on the local engine, not"
                f" {str(evaluation.answer)[:300]}; {key[-500:]}"
            )


def hostile_faults(outcome: str, answers: dict[str, Any]) -> Iterator[Fault]:
    """A hostile text or number in each field of each answer, and in an error's message."""
    for state, right in answers.items():
        for text in HOSTILE_TEXTS:
            yield Fault(outcome, state, repr(text), function_error("DataInconsistent", text))
        for key in right if isinstance(right, dict) else ():
            for value in (*HOSTILE_TEXTS, *HOSTILE_NUMBERS):
                body = json.dumps({**right, key: value}).encode()
                yield Fault(outcome, state, f"{key}: {value!r}", InvokeResult(body))


def test_the_reference_is_of_the_version_that_aws_documents(jsonata: ReferenceJsonata) -> None:
    package = installed_tools() / "node_modules" / "jsonata" / "package.json"
    assert json.loads(Path(package).read_text(encoding="utf-8"))["version"] == VERSION


@pytest.mark.timeout(900)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_expressions_are_the_same_whatever_functions_answer(
    outcome: str, play: Play, jsonata: ReferenceJsonata
) -> None:
    right = play(outcome).ended
    answers = answers_of(right.history)
    everything = [*all_faults(outcome, answers), *hostile_faults(outcome, answers)]
    chosen = random.Random(outcome).sample(everything, size(40, len(everything)))
    seen: set[str] = set()
    found: list[str] = []
    for fault in chosen:
        interpreter, _ = run_alone(right, ScriptedWorld(right.arn, answers, fault), given_of(right), jsonata)
        found += differences(interpreter.evaluations, seen)
    assert found == []
    assert len(seen) > len(chosen)


@pytest.mark.timeout(900)
def test_expressions_are_the_same_whatever_comes_in(play: Play, jsonata: ReferenceJsonata) -> None:
    right = play("paid").ended
    refused = Fault("paid", "ValidateEvent", "refused", function_error("InvalidEvent", "The event is malformed."))
    given = given_of(right)
    inputs = [*all_inputs(given), *({**given, "detail": {**given["detail"], "id": text}} for text in HOSTILE_TEXTS)]
    large = {**given, "filling": "ä" * 70_000}
    seen: set[str] = set()
    found: list[str] = []
    for hostile in [large, *random.Random(2).sample(inputs, size(60, len(inputs)))]:
        interpreter, _ = run_alone(right, ScriptedWorld(right.arn, {}, refused), hostile, jsonata)
        found += differences(interpreter.evaluations, seen)
    assert found == []


def test_another_answer_is_noticed() -> None:
    evaluation = Evaluation("S", "Output", "$states.input + 1", {"states": {"input": 1}}, Value(3))
    assert len(list(differences([evaluation], set()))) == 1
    assert list(differences([Evaluation("S", "Output", "1 + 1", {}, Value(2))], set())) == []
