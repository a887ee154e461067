"""The benchmark runs, and what it says can be used. How fast anything is, no test judges; how often it asks, one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench.__main__ import SECTIONS, main
from tests.bench.payment_work import STEPS
from tests.bench.transitions import OUTCOMES

ROOT = Path(__file__).parents[2]


def bench(*arguments: str, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.full
@pytest.mark.timeout(300)
def test_every_section_measures_something_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = bench("--quick", "--json", temporary=tmp_path)
    answer, said = process.communicate()
    assert process.returncode in {0, 1}, said
    assert answer, said
    found = json.loads(answer)
    assert found["met"] is (process.returncode == 0)
    sections = {section["section"]: section for section in found["sections"]}
    assert tuple(sections) == SECTIONS
    lines = {name: {line["name"]: line for line in section["lines"]} for name, section in sections.items()}

    assert all(line["ms"] > 0 for line in lines["cold"].values())
    assert list(lines["handlers"]) == [*STEPS, "one payment"]
    for name, line in lines["handlers"].items():
        assert line["handler ms"] > 0
        assert (line["ratio"] is None) == (name == "ValidateEvent"), "only ValidateEvent asks the database nothing"
    # How often the database is asked is no matter of speed, so this is judged here too.
    assert [step for step in STEPS if lines["handlers"][step]["met"] is not True] == []
    assert lines["handlers"]["one payment"]["round trips"] == sum(
        lines["handlers"][step]["round trips"] for step in STEPS
    )
    for name in ("1 process", "4 processes"):
        assert lines["throughput"][name]["handlers /s"] > 0
        assert lines["throughput"][name]["bare SQL /s"] > 0
    assert lines["half-load"]["whole handler"]["p99 ms"] >= lines["half-load"]["whole handler"]["median ms"] > 0
    assert {"mark_order_paid", "create_checkout", "migrate_database"} <= set(lines["imports"])
    assert all(line["module ms"] > 0 for line in lines["imports"].values())
    assert {name: line["failed"] for name, line in lines["migration"].items()} == {"without": 0, "beside it": 0}
    assert all(line["checkouts"] > 0 for line in lines["migration"].values())
    assert set(lines["transitions"]) == set(OUTCOMES)
    assert lines["transitions"]["paid"]["Lambda invocations"] == 5
    assert all(line["event to end ms"] > 0 for line in lines["transitions"].values())
    assert sum("many orders" in name for name in lines["checkout"]) == 4
    assert all(line["/s"] > 0 and line["ratio"] > 0 for line in lines["checkout"].values())
    judged = [line for of in lines.values() for line in of.values() if line["budget"]]
    assert all(line["met"] in {True, False} for line in judged)
    assert [found for found in sections.values() if found["met"] != all_met(found)] == []

    assert list(tmp_path.iterdir()) == []


def all_met(section: dict[str, Any]) -> bool:
    return all(line["met"] is not False for line in section["lines"])


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = bench("throughput", temporary=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("cachao-bench-*/mariadb/data")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["handers"])
    assert "no such section: handers" in capsys.readouterr().err
