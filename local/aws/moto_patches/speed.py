"""Work that moto does again and again, done once; nothing here changes what comes out.

Measured with the payment workflow, these were more than half of an execution's CPU time:
- `copy.deepcopy` of plain JSON data, ten times a state;
- the JSONPath `$` is parsed (a parser is generated!) for each state;
- each HTTP request looks through moto's folders for a service's name.
"""

import copy
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from moto import backends
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import state_parallel
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.eval import states
from moto.stepfunctions.parser.asl.eval.event import event_manager
from moto.stepfunctions.parser.asl.utils import json_path

from local.aws.moto_patches.replacing import Replacements

_IMMUTABLE = (str, int, float, bool, type(None))


def apply(replacements: Replacements) -> None:
    """Make moto's Step Functions engine and server faster."""
    for module in (states, execute_state, state_task_service, result_path, state_parallel, event_manager):
        replacements.set(module, "copy", SimpleNamespace(deepcopy=copy_json))
    replacements.set(result_path, "parse", lru_cache(maxsize=256)(result_path.parse))
    replacements.set(json_path, "parse", lru_cache(maxsize=256)(json_path.parse))
    modules = tuple(backends.list_of_moto_modules())
    replacements.set(backends, "list_of_moto_modules", lambda: modules)


def copy_json(value: Any) -> Any:  # noqa: ANN401 - any JSON value, and now and then an object of moto's
    """Copy plain JSON data; anything else by `copy.deepcopy`."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if kind is dict:
        return {key: copy_json(item) for key, item in value.items()}
    if kind is list:
        return [copy_json(item) for item in value]
    return copy.deepcopy(value)
