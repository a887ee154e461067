"""`cachao page` as an operator starts it: a process of its own, a browser, Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import environment_for_python

_CACHAO = "from cachao.cli import main; main()"


@pytest.fixture
def page(stack_folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CACHAO, "page", "--local", "--json"],
        cwd=stack_folder,
        env=environment_for_python(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def ask(url: str, *, body: Any = None, key: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=30) as answer:
        return json.load(answer)


def test_it_opens_for_the_address_that_it_prints_and_ends_by_ctrl_c(page: subprocess.Popen[str]) -> None:
    assert page.stdout is not None
    url, _, token = json.loads(page.stdout.readline())["url"].partition("#token=")
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(f"{url}api/about")
    key = ask(f"{url}api/session", body={"token": token})["key"]
    assert ask(f"{url}api/about", key=key)["stack"].startswith("cachao-local (")
    page.send_signal(signal.SIGINT)
    rest, notes = page.communicate(timeout=30)
    assert (page.returncode, rest) == (0, "")
    assert notes.rstrip().endswith("The page is closed.")


def test_a_port_that_is_taken_is_said(stack_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [sys.executable, "-c", _CACHAO, "page", "--local", "--port", str(taken.getsockname()[1])],
            cwd=stack_folder,
            env=environment_for_python(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert "cannot be had: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
