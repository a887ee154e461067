"""docs/parameters.md, and what the deployment's other files say of parameters, agree with template.yaml."""

from __future__ import annotations

import tomllib
from typing import Any

import yaml

from local.lint.subject import load
from local.parameter_table import PAGE, ROOT, page

TEMPLATE = load(ROOT / "template.yaml").template
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]


def test_the_page_is_what_the_template_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(TEMPLATE), "run `make parameters`"


def test_each_parameter_is_in_one_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


def test_samconfig_gives_parameters_that_there_are() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    for environment in ("dev", "prod"):
        given = config[environment]["deploy"]["parameters"]["parameter_overrides"]
        names = [pair.partition("=")[0] for pair in given.split()]
        assert set(names) <= set(PARAMETERS), environment
        assert ("StripeLivemode=true" in given) == (environment == "prod")


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they stand on."""


def _short_form(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _short_form)


def test_the_outputs_of_the_database_are_parameters_of_the_shop() -> None:
    text = (ROOT / "deploy" / "network-and-database.yaml").read_text(encoding="utf-8")
    outputs = yaml.load(text, Loader=_Loader)["Outputs"]  # noqa: S506 -- a safe loader
    assert set(outputs) <= set(PARAMETERS)
    assert len(outputs) == 5
    assert all(name in output["Description"] for name, output in outputs.items())
