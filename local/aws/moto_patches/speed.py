"""Work that moto does again and again, done once; nothing here changes what comes out.

Measured with the payment workflow, these were more than half of an execution's CPU time:
- `copy.deepcopy` of plain JSON data, ten times a state;
- the JSONPath `$` is parsed (a parser is generated!) for each state;
- each HTTP request looks through moto's folders for a service's name;
- for each member that an answer may have, of each event of a history forty, up to twelve names are made up and tried.
"""

import copy
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from moto import backends
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import MISSING, get_value
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
    replacements.set(XFormedAttributePicker, "__call__", picker(XFormedAttributePicker.get_possible_keys))
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


def picker(possible_keys: Callable[[Any, Any], Iterable[str]]) -> Callable[[Any, Any], Any]:
    """Find a member's value as moto does; the names under which it may be are the same for all objects of a class."""
    known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def pick(self: Any, context: AttributePickerContext) -> Any:  # noqa: ANN401
        parent = getattr(context.shape, "parent", None)
        which = (type(context.obj), context.service_model, context.shape.name, parent and parent.name, context.key)
        keys = known.get(which)
        if keys is None:
            keys = known[which] = tuple(dict.fromkeys(possible_keys(self, context)))
        for key in keys:
            value = get_value(context.obj, key, MISSING)
            if value is not MISSING:
                break
        else:
            value = None
        path = f"{context.key_path}.{context.key}"
        for ending, transform in self.response_transformers.items():
            if path.endswith(ending):
                return transform(value)
        return value

    return pick
