"""The example stack: a small template with functions that do one thing each, well or badly."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_worker import LambdaFunction
from local.aws.lambda_workers import LambdaService
from local.aws.template import Template, load_template

EXAMPLE = Path(__file__).parent / "aws" / "example"
EVENT_SOURCE = "aws.partner/example.com/ed_1"


@pytest.fixture(scope="module")
def example_template() -> Template:
    parameters = {"EventSourceName": EVENT_SOURCE, "AllowedOrigins": "https://shop.example, https://other.example"}
    return load_template(
        EXAMPLE / "template.yaml", parameters=parameters, region="eu-west-1", account_id="123456789012"
    )


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory, example_template: Template) -> Iterator[LocalCloud]:
    """The example stack, deployed; waits between retries are a thousand times shorter."""
    directory = tmp_path_factory.mktemp("example")
    with LocalCloud(directory, port=0, retry_wait_factor=0.001, run_schedules=False) as cloud:
        cloud.deploy(example_template)
        yield cloud


@pytest.fixture
def lambdas(tmp_path: Path) -> Iterator[LambdaService]:
    """Example functions without a cloud around them; `sleep` has a time-out of half a second."""
    service = LambdaService(
        logs_directory=tmp_path / "logs",
        region="eu-west-1",
        account_id="123456789012",
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        max_workers=3,
        retry_wait_factor=0.001,
    )
    functions = [example_function(name) for name in ("echo", "environment", "fail", "leave", "large")]
    service.deploy([*functions, example_function("sleep", timeout_seconds=0.5)])
    yield service
    service.close()


def example_function(name: str, *, timeout_seconds: float = 30, module: str = "example") -> LambdaFunction:
    return LambdaFunction(
        name=f"stack-{name}",
        logical_id=f"{name.title()}Function",
        handler=f"{module}.{name}",
        code_directory=EXAMPLE / "functions",
        environment={"GREETING": "hello"},
        timeout_seconds=timeout_seconds,
        memory_mb=128,
    )


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def environment_for_python() -> dict[str, str]:
    """What a child needs to import the project."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(EXAMPLE.parents[3] / room) for room in ("", "functions", "operations")),
    }
