"""Lines that are appended to a file, and what a kill leaves of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.journal import Journal
from tests.local.conftest import environment_for_python, wait_until

_WRITER = """
import sys
from pathlib import Path
from local.journal import Journal
journal, number = Journal(Path(sys.argv[1])), 0
while True:
    journal.append({"number": number, "text": "x" * 100_000})
    number += 1
"""


def test_what_is_appended_is_loaded_in_its_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.load() == []
    journal.append({"a": 1})
    journal.append({"b": "line\nbreak"})
    assert Journal(tmp_path / "journal").load() == [{"a": 1}, {"b": "line\nbreak"}]
    assert journal.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b'{"c": ', b"\xff", b'{"c": 1}'])
def test_a_torn_line_is_taken_off_so_that_the_next_one_is_whole(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append({"a": 1})
    with journal.path.open("ab") as stream:
        stream.write(torn)
    assert journal.load() == [{"a": 1}]
    journal.append({"b": 2})
    assert journal.load() == [{"a": 1}, {"b": 2}]


def test_a_line_that_is_none_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_bytes(b'{"a": 1}\nnonsense\n[]\n\n{"b": 2}\n')
    assert Journal(file).load() == [{"a": 1}, {"b": 2}]


def test_only_what_is_kept_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for number in range(3):
        journal.append({"number": number})
    journal.replace([{"number": 2}])
    journal.append({"number": 3})
    assert journal.load() == [{"number": 2}, {"number": 3}]
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_a_kill_costs_at_most_the_line_that_was_being_written(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], env=environment_for_python())
    assert wait_until(lambda: file.exists() and file.stat().st_size > 2_000_000)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    entries = Journal(file).load()
    assert [entry["number"] for entry in entries] == list(range(len(entries)))
    assert len(entries) >= 19
