"""Structure-aware mutations of JSON: values of the wrong kind, of another object's, at the edge, or hostile."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]

_HOSTILE: Sequence[Any] = (
    None,
    True,
    False,
    "",
    " ",
    "0",
    0,
    -1,
    1,
    1.5,
    -0.0,
    1e308,
    10**12,
    10**12 + 1,
    2**31,
    2**63,
    10**30,
    [],
    {},
    [[]],
    [None],
    {"id": None},
    {"id": "cs_test_1"},
    "null",
    "true",
    "'; DROP TABLE ticket_orders; --",
    "1 OR 1=1",
    "1; SELECT SLEEP(9)",
    "${jndi:ldap://x}",
    "{% $states.input %}",
    "../../etc/passwd",
    "a" * 300,
    "é" * 100,
    "\u0000",
    "\U0001f600" * 30,
    "half a \ud83d",
    "line\nbreak\r\n\t",
    "\u202egnp.exe",
    "paid\u0000",
    "\uff11\uff12",  # digits, but not ASCII
    "+1",
    "1e3",
    "0x10",
    "-1",
    "00001",
    "9" * 18,
    "9" * 40,
)


def mutate(value: Any, chance: random.Random, words: Sequence[Any], *, most: int = 3) -> Any:
    """Give a copy with one to `most` changes. `words` are values that mean something, such as other objects' ids."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, most)):
        changed = _mutate_once(changed, chance, words)
    return changed


def _mutate_once(value: Any, chance: random.Random, words: Sequence[Any]) -> Any:
    places = list(paths(value))
    if not places or chance.random() < 0.01:
        return chance.choice(_HOSTILE)
    path = chance.choice(places)
    kind = chance.random()
    if kind < 0.12:
        return _drop(value, path)
    if kind < 0.47:
        new = chance.choice(words)
    elif kind < 0.72:
        new = chance.choice(_HOSTILE)
    elif kind < 0.82:
        new = _of_another_kind(_get(value, path))
    elif kind < 0.9:
        new = _slightly_other(_get(value, path), chance)
    else:
        new = _get(value, chance.choice(places))
    return _put(value, path, copy.deepcopy(new))


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Give the place of every value inside, the containers too."""
    inside: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        inside = iter(value.items())
    elif isinstance(value, list):
        inside = iter(enumerate(value))
    for key, part in inside:
        yield (*at, key)
        yield from paths(part, (*at, key))


def _get(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: Path, new: Any) -> Any:
    _get(value, path[:-1])[path[-1]] = new
    return value


def _drop(value: Any, path: Path) -> Any:
    del _get(value, path[:-1])[path[-1]]
    return value


def _of_another_kind(value: Any) -> Any:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else [value]
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return {"object": value} if isinstance(value, list) else [value]


def _slightly_other(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 100, -value * 2))
    if isinstance(value, str) and value:
        place = chance.randrange(len(value))
        return value[:place] + chance.choice(("", "x", "é", " ", value[place].swapcase())) + value[place + 1 :]
    return value
