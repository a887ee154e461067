"""`make demo` as it is run: all scenes, one event of a file, and an end that says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.conftest import environment_for_python

PROJECT = Path(__file__).parents[3]


def demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "local", "demo", *arguments],
        cwd=PROJECT,
        env=environment_for_python() | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert list(folder.iterdir()) == [], "something was left behind"
    return done


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_scene_is_as_it_should_be(tmp_path: Path) -> None:
    done = demo(folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "The buyer sees the ticket in the profile",
        "It changed nothing",
        "AmountMismatch",
        "The operators got exactly one alert",
        "The bank paid: the order is paid",
        "There was a seat left, so the buyer has a ticket",
        "All as it should be",
    ):
        assert said in done.stdout, done.stdout


@pytest.mark.full
@pytest.mark.timeout(120)
def test_the_event_of_a_file_is_fitted_and_sent(tmp_path: Path) -> None:
    done = demo("--event", "events/checkout.session.completed.json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OrderPaid" in done.stdout


@pytest.mark.full
@pytest.mark.timeout(120)
def test_an_event_that_no_rule_takes_ends_the_demo_with_an_error(tmp_path: Path) -> None:
    event = json.loads((PROJECT / "events" / "checkout.session.completed.json").read_text())
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event | {"detail-type": "customer.created"}))
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = demo("--event", str(file), folder=folder)
    assert done.returncode == 1
    assert "No execution was started" in done.stdout
