"""JSONata as Step Functions evaluates it."""

import re
import threading
from typing import Any

import pytest

from local.aws.moto_patches.jsonata import EvaluationError, UndefinedResultError, evaluate


@pytest.mark.parametrize(
    ("expression", "variables", "value"),
    [
        ("$x.a", {"x": {"a": 'say "x" \\ {% %}'}}, 'say "x" \\ {% %}'),
        ("$x & '!'", {"x": 'a"b'}, 'a"b!'),
        ("$x", {"x": None}, None),
        ("$x.a", {"x": {"a": None}}, None),
        ("$exists($x.b)", {"x": {"a": None}}, False),
        ("$x.a = null", {"x": {"a": None}}, True),
        ("{'kept': $x.a, 'dropped': $x.b}", {"x": {"a": None}}, {"kept": None}),
        ("$x", {"x": [1, [2]]}, [1, [2]]),
        ("$x.k", {"x": [{"k": 1}, {"k": 2}]}, [1, 2]),
        ("$sum($x)", {"x": [0.5, 0.5]}, 1),
        ("10 / 4", {}, 2.5),
        ("$count($x)", {"x": []}, 0),
        ("$parse('{\"a\": [1, null]}').a", {}, [1, None]),
        ("$parse($x).errorMessage", {"x": '{"errorMessage": "a \\"b\\""}'}, 'a "b"'),
        ("$exists($parse('null'))", {}, True),
        ("$hash('a', 'SHA-256')", {}, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("$hash('a', 'MD5')", {}, "0cc175b9c0f1b6a831c399e269772661"),
        ("$partition([1, 2, 3, 4, 5], 2)", {}, [[1, 2], [3, 4], [5]]),
        ("$range(0, 10, 5)", {}, [0, 5, 10]),
        ("$range(3, 1, -1)", {}, [3, 2, 1]),
        ("$random(5) = $random(5)", {}, True),
        ("$uppercase($x)", {"x": "é"}, "É"),
        ("$states.input.a", {"states": {"input": {"a": 1}}}, 1),
    ],
)
def test_values(expression: str, variables: dict[str, object], value: object) -> None:
    assert evaluate(expression, variables) == value


def test_whole_numbers_stay_whole() -> None:
    value = evaluate("6 / 2", {})
    assert (value, type(value)) == (3, int)


def test_uuids_differ() -> None:
    assert re.fullmatch(r"[0-9a-f-]{36}", evaluate("$uuid()", {}))
    assert evaluate("$uuid()", {}) != evaluate("$uuid()", {})


@pytest.mark.parametrize("expression", ["$x.missing", "$nothing", "$parse($x.missing)", "[1,2][5]"])
def test_undefined_is_an_error(expression: str) -> None:
    with pytest.raises(UndefinedResultError, match="returned nothing"):
        evaluate(expression, {"x": {}})


@pytest.mark.parametrize(
    "expression",
    [
        "1 +",
        "'a' + 1",
        "$nofunction(1)",
        "$uppercase",
        "$parse('{')",
        "$eval('1')",
        "$hash('a', 'ROT13')",
        "$range(1,2,0)",
    ],
)
def test_what_cannot_be_evaluated_is_an_error(expression: str) -> None:
    with pytest.raises(EvaluationError):
        evaluate(expression, {})


def test_the_result_is_a_copy() -> None:
    variables: dict[str, Any] = {"x": {"list": [1]}}
    evaluate("$x", variables)["list"].append(2)
    assert variables == {"x": {"list": [1]}}


def test_many_threads_share_a_parsed_expression() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(200):
            value = evaluate(
                "$map($x.list, function($v) { $v * $x.factor })", {"x": {"list": [1, 2], "factor": number}}
            )
            if value != [number, 2 * number]:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
