"""The operators' command line against the local cloud, as an operator in the project's folder would use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.cloud import LocalCloud
from operations.cli import app
from operations.environment import Choice, Environment, find


@dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""

    exit_code: int
    text: str
    notes: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


Cachao = Callable[..., Answer]


@pytest.fixture
def stack_folder(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the local stack says where it is, as `make run` does."""
    local = {
        "aws_endpoint_url": cloud.endpoint_url,
        "region": cloud.region,
        "logs_dir": str(cloud._directory / "logs"),
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(local))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CACHAO_STACK", raising=False)
    return tmp_path


@pytest.fixture
def environment(stack_folder: Path) -> Environment:
    return find(Choice())


@pytest.fixture
def cachao(stack_folder: Path) -> Cachao:
    """Run a command; `json=True`: with --json, so that `data` can be read."""

    def run(*arguments: object, json: bool = False, given: str | None = None) -> Answer:
        words = [str(argument) for argument in arguments] + (["--json"] if json else [])
        result = CliRunner().invoke(app, words, input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run
