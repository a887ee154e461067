"""Reads the SAM template as AWS would, and gives plain views of what the local stack must bring up itself.

aws-sam-translator (AWS's own) turns SAM into CloudFormation; moto deploys that. Three things it cannot know:
where the code lies on this machine (`CodeUri`), the state machine's text (`DefinitionUri`), and the resources
that moto has no model for (the HTTP API, served by `local.aws.http_api`).
"""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# Where the cloud puts the placeholder that stands for the functions' zipped code.
CODE_BUCKET, CODE_KEY = "local-code", "functions.zip"

# Of functions and state machines; the cloud numbers further ones.
FIRST_VERSION = "1"
ALIAS = "live"

# moto has no CloudFormation model for these, or would try to reach out (custom resources call a Lambda
# during the deployment; the local stack runs the migration itself).
_NOT_DEPLOYED = (
    "AWS::ApiGatewayV2::",
    "AWS::CloudWatch::",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
    "AWS::SQS::QueuePolicy",
    "AWS::CloudFormation::CustomResource",
    "Custom::",
)
_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_ANY_METHOD = "x-amazon-apigateway-any-method"
_FUNCTION_IN_URI = re.compile(r"functions/\$\{([A-Za-z0-9]+)\.Arn\}/invocations")


class TemplateError(ValueError):
    """The template asks for something that cannot be deployed; the message says what."""


@dataclass(frozen=True)
class Route:
    """One route of the HTTP API, e.g. `GET`, `/events/{id}/tickets`, function `ListTicketsFunction`.

    `method` is `ANY` for all methods.
    """

    method: str
    path: str
    function_logical_id: str


@dataclass(frozen=True)
class Cors:
    """`CorsConfiguration` of the HTTP API; header names in lower case, methods in upper case."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_seconds: int | None = None


@dataclass(frozen=True)
class Throttle:
    """Requests a second, and how many at once beyond that; None: not limited."""

    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True)
class HttpApiDefinition:
    """What the template says about its HTTP API. `route_throttles` has keys such as `POST /orders`."""

    routes: tuple[Route, ...] = ()
    cors: Cors | None = None
    throttle: Throttle = Throttle()
    route_throttles: Mapping[str, Throttle] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A translated template, ready to be deployed.

    Attributes:
        body: CloudFormation, without what moto cannot deploy.
        parameters: values of the template's parameters, defaults included.
        code_directories: local folder of each function's code, by logical id.
        http_api: the HTTP API.
        skipped: logical ids that were left out of `body`, with their types.
        asynchronous_retries: `MaximumRetryAttempts` of the functions that say so, by logical id.
        published: logical ids of the functions and state machines of which each deployment makes a version.
    """

    body: Mapping[str, Any]
    parameters: Mapping[str, str]
    code_directories: Mapping[str, Path]
    http_api: HttpApiDefinition
    skipped: Mapping[str, str]
    asynchronous_retries: Mapping[str, int] = field(default_factory=dict)
    published: frozenset[str] = frozenset()


def load_template(file: Path, *, parameters: Mapping[str, str], region: str, account_id: str) -> Template:
    """Translate a SAM template.

    Args:
        file: the template.
        parameters: values for its parameters; those that it does not declare are left out.
        region: where it is deployed.
        account_id: in whose account.

    Raises:
        TemplateError: a required parameter is missing, or something cannot be resolved.
    """
    sam: dict[str, Any] = yaml_parse(file.read_text(encoding="utf-8"))
    values = _parameter_values(sam, parameters)
    code_directories = _point_code_to_bucket(sam, file.parent)
    definitions = _take_state_machine_definitions(sam, file.parent)
    session = boto3.Session(region_name=region)
    # The SAM macro gets lists for list parameters, as CloudFormation gives them to any macro.
    types = {name: declared["Type"] for name, declared in sam.get("Parameters", {}).items()}
    macro_values = {name: _typed(value, types[name]) for name, value in values.items()}
    body: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(copy.deepcopy(sam), macro_values)
    _inline_state_machines(body["Resources"], definitions)
    resolver = Resolver(body, values, {"AWS::Region": region, "AWS::AccountId": account_id})
    http_api = _read_http_api(body["Resources"], resolver)
    retries = _read_asynchronous_retries(body["Resources"])
    published = _name_first_versions(body)
    skipped = _leave_out_what_moto_lacks(body)
    return Template(body, values, code_directories, http_api, skipped, retries, published)


def _parameter_values(sam: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for name, declaration in sam.get("Parameters", {}).items():
        if name in given:
            values[name] = _trimmed(given[name], declaration["Type"])
        elif "Default" in declaration:
            values[name] = str(declaration["Default"])
        else:
            raise TemplateError(f"The parameter {name} has no default; give it a value")
    return values


def _trimmed(value: str, parameter_type: str) -> str:
    """Take the spaces around a list's items away, as CloudFormation does."""
    typed = _typed(value, parameter_type)
    return typed if isinstance(typed, str) else ",".join(typed)


def _typed(value: str, parameter_type: str) -> str | list[str]:
    """Value of a parameter as `Ref` gives it: a list where the parameter's type is one."""
    is_list = parameter_type.startswith(("CommaDelimitedList", "List<"))
    return [item.strip() for item in value.split(",")] if is_list else value


def _point_code_to_bucket(sam: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Replace each CodeUri by the placeholder's address; return the local folders."""
    address = f"s3://{CODE_BUCKET}/{CODE_KEY}"
    defaults = sam.get("Globals", {}).get("Function", {})
    default_code = defaults.get("CodeUri", ".")
    if "CodeUri" in defaults:
        defaults["CodeUri"] = address
    directories = {}
    for logical_id, resource in sam["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            code = resource["Properties"].get("CodeUri", default_code)
            directories[logical_id] = (folder / code).resolve()
            resource["Properties"]["CodeUri"] = address
    return directories


def _take_state_machine_definitions(sam: dict[str, Any], folder: Path) -> dict[str, str]:
    """Read the ASL file of each state machine (moto wants JSON); return the texts by logical id."""
    definitions = {}
    for logical_id, resource in sam["Resources"].items():
        if resource["Type"] == "AWS::Serverless::StateMachine" and "DefinitionUri" in resource["Properties"]:
            file = folder / resource["Properties"]["DefinitionUri"]
            definitions[logical_id] = definition_as_json(file.read_text(encoding="utf-8"))
            resource["Properties"]["DefinitionUri"] = f"s3://{CODE_BUCKET}/{logical_id}.asl.json"
    return definitions


def definition_as_json(text: str) -> str:
    """Turn a state machine in YAML (or JSON, which is YAML) into JSON text."""
    import json  # noqa: PLC0415 - used here only

    return json.dumps(yaml.safe_load(text))


def _inline_state_machines(resources: dict[str, Any], definitions: Mapping[str, str]) -> None:
    """Put the text and its substitutions into the template as an `Fn::Join`.

    moto ignores DefinitionSubstitutions, and its `Fn::Sub` eats the `$$` that JSONata may contain.
    """
    for logical_id, text in definitions.items():
        properties = resources[logical_id]["Properties"]
        properties.pop("DefinitionS3Location")
        substitutions = properties.pop("DefinitionSubstitutions", {})
        parts = _SUBSTITUTION.split(text)  # text, name, text, name, …, text
        unknown = set(parts[1::2]) - set(substitutions)
        if unknown:
            raise TemplateError(f"{logical_id} uses undefined substitutions: {', '.join(sorted(unknown))}")
        joined = [substitutions[part] if index % 2 else part for index, part in enumerate(parts)]
        properties["DefinitionString"] = {"Fn::Join": ["", joined]}


def _read_asynchronous_retries(resources: Mapping[str, Any]) -> dict[str, int]:
    configs = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    return {
        config["FunctionName"]["Ref"]: int(config["MaximumRetryAttempts"])
        for config in configs
        if "MaximumRetryAttempts" in config
    }


def _name_first_versions(body: dict[str, Any]) -> frozenset[str]:
    """Put names in the place of references to versions and aliases, which `LocalCloud` makes after the deployment."""
    owners: dict[str, str] = {}
    names: dict[str, dict[str, Any]] = {}
    for logical_id, resource in body["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Version":
            owners[logical_id] = properties["FunctionName"]["Ref"]
            arn = {"Fn::GetAtt": [owners[logical_id], "Arn"]}
            names[logical_id] = {"Fn::Join": [":", [arn, FIRST_VERSION]]}
        elif resource["Type"] == "AWS::StepFunctions::StateMachineVersion":
            owners[logical_id] = properties["StateMachineArn"]["Ref"]
    for logical_id, resource in body["Resources"].items():
        if resource["Type"] == "AWS::StepFunctions::StateMachineAlias":
            version = resource["Properties"]["DeploymentPreference"]["StateMachineVersionArn"]["Ref"]
            names[logical_id] = {"Fn::Join": [":", [{"Ref": owners[version]}, resource["Properties"]["Name"]]]}
    body["Resources"] = _with_names(body["Resources"], names)
    body["Outputs"] = _with_names(body.get("Outputs", {}), names)
    return frozenset(owners.values())


def _with_names(value: Any, names: Mapping[str, dict[str, Any]]) -> Any:  # noqa: ANN401 - a template's value is anything
    if isinstance(value, Mapping):
        if len(value) == 1 and value.get("Ref") in names:
            return names[value["Ref"]]
        return {key: _with_names(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_names(item, names) for item in value]
    return value


def _leave_out_what_moto_lacks(body: dict[str, Any]) -> dict[str, str]:
    resources = body["Resources"]
    skipped = {name: r["Type"] for name, r in resources.items() if r["Type"].startswith(_NOT_DEPLOYED)}
    for name in skipped:
        del resources[name]
    # SAM's permissions for API Gateway and EventBridge to call a function: nothing checks them here, and
    # those of the API refer to it.
    for name in [name for name, r in resources.items() if r["Type"] == "AWS::Lambda::Permission"]:
        skipped[name] = resources.pop(name)["Type"]
    for resource in resources.values():
        # It depends on a number, which moto compares with the template's text "0" and finds different: each function
        # would be deployed with 0, which on AWS means that it never runs.
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"].pop("ReservedConcurrentExecutions", None)
        if isinstance(resource.get("DependsOn"), list):
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in skipped]
        elif resource.get("DependsOn") in skipped:
            del resource["DependsOn"]
    outputs = body.get("Outputs", {})
    for name in [name for name, output in outputs.items() if _mentions(output, skipped)]:
        del outputs[name]
    return skipped


def _mentions(value: object, logical_ids: Mapping[str, str]) -> bool:
    if isinstance(value, Mapping):
        return any(
            (key in {"Ref", "Fn::GetAtt", "Fn::Sub"} and _names(item) & set(logical_ids))
            or _mentions(item, logical_ids)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return any(_mentions(item, logical_ids) for item in value)
    return False


def _names(reference: object) -> set[str]:
    if isinstance(reference, list):
        return _names(reference[0])
    if isinstance(reference, str):
        return set(re.findall(r"[A-Za-z0-9]+", reference))
    return set()


class Resolver:
    """Resolves the intrinsic functions that depend on parameters only, as CloudFormation does."""

    def __init__(self, body: Mapping[str, Any], parameters: Mapping[str, str], pseudo: Mapping[str, str]) -> None:
        """Take the parameters' values, and the pseudo parameters' such as `AWS::Region`."""
        self._types = {name: declared["Type"] for name, declared in body.get("Parameters", {}).items()}
        self._conditions = body.get("Conditions", {})
        self._values = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", **pseudo, **parameters}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::If": lambda a: self.resolve(a[1] if self.condition(a[0]) else a[2]),
            "Fn::Equals": lambda a: self.resolve(a[0]) == self.resolve(a[1]),
            "Fn::Not": lambda a: not self.resolve(a[0]),
            "Fn::And": lambda a: all(self.resolve(item) for item in a),
            "Fn::Or": lambda a: any(self.resolve(item) for item in a),
            "Fn::Join": lambda a: str(a[0]).join(self.resolve(a[1])),
            "Fn::Split": lambda a: self.resolve(a[1]).split(a[0]),
            "Fn::Select": lambda a: self.resolve(a[1])[int(a[0])],
            "Fn::Sub": self._sub,
        }

    def resolve(self, value: object) -> Any:  # noqa: ANN401 - a template's value is anything
        """Resolve a value; what refers to other resources stays as it is."""
        if isinstance(value, Mapping):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if name in self._functions:
                    return self._functions[name](argument)
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return value

    def condition(self, name: str) -> bool:
        """Whether one of the template's conditions holds."""
        return bool(self.resolve(self._conditions[name]))

    def _ref(self, name: str) -> Any:  # noqa: ANN401
        if name not in self._values:
            return {"Ref": name}
        return _typed(self._values[name], self._types.get(name, "String"))

    def _sub(self, argument: object) -> object:
        if not isinstance(argument, str):
            return {"Fn::Sub": argument}
        return re.sub(r"\$\{([A-Za-z0-9:]+)\}", lambda m: str(self._values.get(m[1], m[0])), argument)


def _read_http_api(resources: Mapping[str, Any], resolver: Resolver) -> HttpApiDefinition:
    apis = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Api"]
    if not apis:
        return HttpApiDefinition()
    if len(apis) > 1:
        raise TemplateError("Only one HTTP API is served on one machine")
    document = apis[0]["Body"]
    stages = [resolver.resolve(r["Properties"]) for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Stage"]
    stage = stages[0] if stages else {}
    return HttpApiDefinition(
        routes=tuple(_read_routes(document["paths"])),
        cors=_read_cors(resolver.resolve(document.get("x-amazon-apigateway-cors"))),
        throttle=_read_throttle(stage.get("DefaultRouteSettings", {})),
        route_throttles={key: _read_throttle(settings) for key, settings in stage.get("RouteSettings", {}).items()},
    )


def _read_routes(paths: Mapping[str, Any]) -> list[Route]:
    routes = []
    for path, operations in paths.items():
        for method, operation in operations.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            function = _FUNCTION_IN_URI.search(uri)
            if function is None:
                raise TemplateError(f"{method} {path}: only functions of the same template can serve a route")
            routes.append(Route("ANY" if method == _ANY_METHOD else method.upper(), path, function[1]))
    return routes


def _read_cors(settings: Mapping[str, Any] | None) -> Cors | None:
    if not settings:
        return None
    for name in ("allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders"):
        if not isinstance(settings.get(name, []), list):
            raise TemplateError(
                f"CORS {name} is {settings[name]!r}, not a list; use a parameter of type CommaDelimitedList"
            )
    return Cors(
        allow_origins=tuple(settings.get("allowOrigins", ())),
        allow_methods=tuple(method.upper() for method in settings.get("allowMethods", ())),
        allow_headers=tuple(header.lower() for header in settings.get("allowHeaders", ())),
        expose_headers=tuple(header.lower() for header in settings.get("exposeHeaders", ())),
        allow_credentials=bool(settings.get("allowCredentials", False)),
        max_age_seconds=settings.get("maxAge"),
    )


def _read_throttle(settings: Mapping[str, Any]) -> Throttle:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    return Throttle(None if rate is None else float(rate), None if burst is None else int(burst))
