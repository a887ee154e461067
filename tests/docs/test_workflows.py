"""The workflows of GitHub Actions call what there is. They have not been run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_workflow_calls_what_there_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert text.startswith("# Not run yet")
    assert workflow["permissions"]["contents"] == "read"
    for job in workflow["jobs"].values():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()
            continue
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if step.get("run", "").startswith("make "):
                assert set(step["run"].split()[1:]) <= TARGETS, step["run"]


def test_environments_are_those_of_samconfig() -> None:
    config = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8"))["jobs"]
    for name in ("dev", "prod"):
        given = jobs[name]["with"]
        assert f'[{given["environment"]}.deploy.parameters]\nstack_name = "{given["stack"]}"' in config
