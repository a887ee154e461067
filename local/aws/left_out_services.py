"""Services that moto imports whole, and that nothing here has: half of the time that moto takes to start.

moto's CloudFormation imports the models of all services that it can create, its Step Functions engine those of Batch;
EC2's, with all machine images and instance types, take longest. In their place is a package of the same name whose
submodules are found as ever, and in which every other name is an empty class. A template that names such a service
gets what one gets that names a service moto does not know: a warning, and no resource.
"""

import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Final

SERVICES: Final = (
    "apigateway",
    "autoscaling",
    "batch",
    "datapipeline",
    "ec2",
    "ecs",
    "efs",
    "elb",
    "elbv2",
    "emr",
    "iot",
    "rds",
    "redshift",
    "route53",
    "sagemaker",
)


class _LeftOut(ModuleType):
    """A module whose code was not run."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def leave_out() -> None:
    """Put empty modules in their places; where moto's CloudFormation has been imported before, nothing is done."""
    if "moto.cloudformation" in sys.modules:
        return
    places = _places("moto", None)
    for service in SERVICES:
        package, models = f"moto.{service}", f"moto.{service}.models"
        inner = _put(package, places)
        _put(models, inner)
        vars(sys.modules[package])["models"] = sys.modules[models]


def _put(name: str, places: list[str]) -> list[str]:
    """Put an empty module in a module's place; give the folders of its submodules."""
    inner = _places(name, places)
    module = _LeftOut(name)
    module.__path__ = inner
    sys.modules.setdefault(name, module)
    return inner


def _places(name: str, places: list[str] | None) -> list[str]:
    spec = PathFinder.find_spec(name, places)
    return list(spec.submodule_search_locations or []) if spec else []
