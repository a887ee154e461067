"""Plants a fault into a running module: its source with one text replaced by another, until it is taken out again."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import yaml

from tests.schedules.laboratory import Scenario


@dataclass(frozen=True)
class Fault:
    """A guard, a lock, a mark or an order of locks that is not there any more.

    Attributes:
        name: what is missing.
        module: where, below `ticketing`.
        old, new: a text of its source that is there once, and what stands there instead.
        shown_by: a scenario of which a schedule shows it, `world:task+task`.
    """

    name: str
    module: str
    old: str
    new: str
    shown_by: str

    def __str__(self) -> str:
        return self.name

    @property
    def scenario(self) -> Scenario:
        world, _, tasks = self.shown_by.partition(":")
        return Scenario(world, tuple(tasks.split("+")))


def read_faults() -> list[Fault]:
    """Give all of them, in the order of faults.yaml."""
    kinds = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))
    return [Fault(**fault) for faults in kinds.values() for fault in faults]


def changed_source(fault: Fault) -> str:
    """Give the module's source with the fault in it.

    Raises:
        LookupError: the text is not there, or more than once.
    """
    source = inspect.getsource(_module(fault))
    if source.count(fault.old) != 1:
        raise LookupError(
            f"ticketing/{fault.module.replace('.', '/')}.py has {source.count(fault.old)} times {fault.old!r}, which"
            f" the planted fault {fault.name!r} replaces. Write it anew in tests/schedules/faults.yaml, so that it"
            " takes away what guards this now."
        )
    return source.replace(fault.old, fault.new)


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Have the fault in the shop's code. Functions keep their identity, so whoever imported one has it, too."""
    module = _module(fault)
    faulty = ModuleType(module.__name__)
    # Under its own name, so that what it defines is told from what it imports.
    exec(compile(changed_source(fault), str(module.__file__), "exec"), faulty.__dict__)  # noqa: S102 -- our own source
    before: list[tuple[FunctionType, CodeType]] = []
    constants: dict[str, Any] = {}
    for name, function in _functions(module):
        other = dict(_functions(faulty)).get(name)
        if other is not None and other.__code__ != function.__code__:
            before.append((function, function.__code__))
            function.__code__ = other.__code__
    for name, value in vars(faulty).items():
        if isinstance(value, str | tuple) and not name.startswith("__") and getattr(module, name) != value:
            constants[name] = getattr(module, name)
            setattr(module, name, value)
    try:
        if not before and not constants:
            raise LookupError(f"The planted fault {fault.name!r} changes no function.")
        yield
    finally:
        for function, code in before:
            function.__code__ = code
        for name, value in constants.items():
            setattr(module, name, value)


def _module(fault: Fault) -> ModuleType:
    return importlib.import_module(f"ticketing.{fault.module}")


def _functions(module: ModuleType) -> list[tuple[str, FunctionType]]:
    found = []
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            found.append((name, inspect.unwrap(value)))
        elif isinstance(value, type) and value.__module__ == module.__name__:
            found += [
                (f"{name}.{inner}", inspect.unwrap(member))
                for inner, member in vars(value).items()
                if isinstance(member, FunctionType)
            ]
    return found
