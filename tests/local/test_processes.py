"""No child outlives us, and no child dies because the thread that asked for it ended."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from local.processes import free_port, spawn, stop
from tests.local.conftest import environment_for_python, is_alive, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(spawn(SLEEPER, environment={}, directory=tmp_path)))
    thread.start()
    thread.join()
    assert not wait_until(lambda: started[0].poll() is not None, 0.3)
    stop(started[0])
    assert started[0].returncode == -signal.SIGKILL


def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from local.processes import spawn; "
        "child = spawn([sys.executable, '-c', 'import time; time.sleep(60)'], environment={}, directory=Path('.')); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment_for_python(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert is_alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: not is_alive(child))


def test_a_child_inherits_nothing(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output:
        child = spawn(["/usr/bin/env"], environment={"ONLY": "this"}, directory=tmp_path, output=output)
        child.wait()
    assert (tmp_path / "output").read_text() == "ONLY=this\n"


def test_another_port_is_taken_where_the_preferred_one_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken
