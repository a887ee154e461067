"""`python -m local run` with the shop's own template: up, used, stopped, nothing left."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pymysql
import pytest

from tests.local.conftest import environment_for_python, is_alive, wait_until
from tests.local.running import COMMAND, Running

KEYS = {
    "account_id",
    "alert_queue_url",
    "alert_topic_arn",
    "api_url",
    "aws_endpoint_url",
    "database",
    "dead_letter_queue_url",
    "logs_dir",
    "partner_event_bus",
    "pid",
    "region",
    "state_machine_arn",
    "stripe_url",
}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    stack = Running(tmp_path / "stack")
    yield stack
    stack.close()


def has_pid(file: Path, pid: int) -> bool:
    return bool(json.loads(file.read_text())["pid"] == pid)


def is_listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def connect(database: dict[str, Any]) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host=database["host"],
        port=database["port"],
        user=database["user"],
        password=database["password"],
        database=database["name"],
        autocommit=True,
    )


def step_functions(addresses: dict[str, Any]) -> Any:
    return boto3.client(
        "stepfunctions",
        endpoint_url=addresses["aws_endpoint_url"],
        region_name=addresses["region"],
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def start_nonsense(addresses: dict[str, Any]) -> str:
    started = step_functions(addresses).start_execution(stateMachineArn=addresses["state_machine_arn"], input="{}")
    return str(started["executionArn"])


def status_of(addresses: dict[str, Any], arn: str) -> str:
    described = step_functions(addresses).describe_execution(executionArn=arn)
    return f"{described['status']} {described.get('error')}"


@pytest.mark.slow
def test_it_comes_up_works_and_leaves_nothing(running: Running) -> None:
    addresses = running.wait_until_up()
    assert set(addresses) >= KEYS
    assert running.file.stat().st_mode & 0o077 == 0
    machine = addresses["state_machine_arn"]
    assert step_functions(addresses).list_executions(stateMachineArn=machine)["executions"] == []
    with connect(addresses["database"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM ticket_orders")
        assert cursor.fetchone() == (0,)
    assert wait_until(lambda: f"First, buy a ticket:  {addresses['api_url']}/events/1" in running.text(), 30)
    urls = [addresses["api_url"], addresses["aws_endpoint_url"], addresses["stripe_url"]]
    assert all(is_listening(url) for url in urls)
    children = running.children()
    assert len(children) >= 2  # mariadbd and the function that migrated

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    assert running.text().rstrip().endswith("Stopped.")
    assert not any(is_alive(child) for child in children)
    assert not any(is_listening(url) for url in urls)
    assert {path.name for path in running.directory.iterdir()} <= {
        "mariadb",
        "logs",
        "stripe.sqlite",
        "alerts.jsonl",
        "executions.jsonl",
    }


@pytest.mark.full
@pytest.mark.slow
def test_a_kill_leaves_no_process_and_the_data_survive(running: Running) -> None:
    addresses = running.wait_until_up()
    database = addresses["database"]
    failed = start_nonsense(addresses)
    assert wait_until(lambda: "InvalidEvent" in status_of(addresses, failed), 60)
    alerts = Path(addresses["alerts_file"])
    assert wait_until(lambda: alerts.exists() and "InvalidEvent" in alerts.read_text(), 30)
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO events (name) VALUES ('Concert')")
    children = running.children()
    running.process.kill()
    running.process.wait()
    assert wait_until(lambda: not any(is_alive(child) for child in children))

    again = Running(running.directory)
    try:
        # The file of the one that was killed is still there: wait for the new one's.
        assert wait_until(lambda: has_pid(again.file, again.process.pid), 60), again.text()
        addresses = again.wait_until_up()
        assert "InvalidEvent" in status_of(addresses, failed)
        assert [json.loads(line)["subject"] for line in alerts.read_text().splitlines()] == [
            "Cachao cachao-local: InvalidEvent - order unknown"
        ]
        database = addresses["database"]
        with connect(database) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT name FROM events")
            assert ("Concert",) in cursor.fetchall()  # beside the sample that is opened where nothing is on sale
        second = subprocess.run(
            [*COMMAND, str(running.directory)],
            env=environment_for_python(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert f"already running (process {again.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr
        again.process.send_signal(signal.SIGHUP)
        assert again.process.wait(60) == 0
    finally:
        again.close()


@pytest.mark.full
@pytest.mark.slow
def test_a_signal_while_it_starts_leaves_nothing(running: Running) -> None:
    assert wait_until((running.directory / "mariadb").exists, 30)
    time.sleep(0.5)
    children = running.children()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert not any(is_alive(child) for child in children)
    assert not running.file.exists()


def test_a_live_key_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(tmp_path)],
        env={**environment_for_python(), "STRIPE_SECRET_KEY": "sk_live_x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "must be a test key" in done.stderr
    assert not any(tmp_path.iterdir())
