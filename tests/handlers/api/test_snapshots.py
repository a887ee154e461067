"""SnapStart: copies of one worker, each with connections, secrets and random numbers of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.database.mariadb import MariaDB
from local.stripe_stand_in import StripeStandIn
from tests.bench.checkout_work import checkout_event
from tests.bench.orders import HotTicket
from tests.factories import create_ticket, row_of
from ticketing.database import Database

ROOT = Path(__file__).parents[3]
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
COPIES = 2


class Lambda(ThreadingHTTPServer):
    """The Runtime API, the role's credentials and Secrets Manager, for one worker and its copies."""

    daemon_threads = True

    def __init__(self, events: list[bytes], secrets: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.events = events
        self.secrets = secrets
        self.both_wait = threading.Barrier(COPIES)
        self.answers: list[dict[str, Any]] = []
        self.answered = threading.Semaphore(0)
        self.errors: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: Lambda

    def do_GET(self) -> None:
        if self.path == "/credentials":
            self.answer(b'{"AccessKeyId": "key", "SecretAccessKey": "secret", "Token": "token"}')
        elif self.path.endswith("/restore/next"):
            self.answer(b"")
        elif self.path.endswith("/invocation/next"):
            # Each copy asks for its event before one gets its own; after its answer it asks again, and waits.
            with contextlib.suppress(threading.BrokenBarrierError):
                self.server.both_wait.wait(60)
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": "8b0a1c7e-5a3d-4a53-9d36-0c5a8a2f0f0e",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 30) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:a:1",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                    "Content-Type": "application/json",
                }
                self.answer(self.server.events.pop(), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" in self.headers:
            self.answer(json.dumps({"SecretString": self.server.secrets[json.loads(body)["SecretId"]]}).encode())
            return
        if self.path.endswith("/response"):
            self.server.answers.append(json.loads(body))
        else:
            self.server.errors.append(f"{self.path}: {body.decode()}")
        self.answer(b"", status=202)
        self.server.answered.release()

    def answer(self, body: bytes, headers: dict[str, str] | None = None, *, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def runtime(database: Database, mariadb: MariaDB) -> Iterator[Lambda]:
    ticket = row_of(database, "tickets", create_ticket(database))
    place = HotTicket(ticket["event_id"], ticket["id"], 0)
    login = {"host": mariadb.host, "port": mariadb.port, "dbname": mariadb.name, "password": mariadb.password}
    secrets = {
        f"{SECRET}database": json.dumps({**login, "username": mariadb.functions_user}),
        f"{SECRET}stripe": json.dumps({"api_key": "sk_test_local"}),
    }
    events = [json.dumps(checkout_event(place)).encode() for _ in range(1 + COPIES)]
    server = Lambda(events, secrets)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.both_wait.abort()
    server.shutdown()
    server.server_close()


def worker(runtime: Lambda, stripe: StripeStandIn) -> subprocess.Popen[str]:
    address = f"127.0.0.1:{runtime.server_port}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "CreateCheckout",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_REGION": "eu-west-1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{address}/credentials",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{address}",
        "DATABASE_SECRET_ARN": f"{SECRET}database",
        "DATABASE_TLS": "off",
        "STRIPE_SECRET_ARN": f"{SECRET}stripe",
        "STRIPE_API_BASE": stripe.url,
        "STRIPE_LIVEMODE": "false",
        "STRIPE_ACCOUNT_SHARED": "false",
        "POWERTOOLS_METRICS_NAMESPACE": "Cachao",
        "FRONTEND_ORIGINS": "https://shop.example",
        "FRONTEND_URL": "https://shop.example",
        "CURRENCY": "eur",
        "HOLD_SECONDS": "1800",
        "DELAYED_METHOD_DAYS": "7",
        "MAX_TICKETS_PER_ORDER": "10",
        "MAX_HELD_PER_ACCOUNT": "20",
        "MAX_HELD_PER_ADDRESS": "40",
    }
    program = [sys.executable, str(Path(__file__).parent / "snapshot_worker.py"), runtime.events.pop().decode()]
    return subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def test_copies_of_a_snapshot_share_nothing_that_was_made_before_it(
    runtime: Lambda, stripe: StripeStandIn, database: Database, mariadb: MariaDB
) -> None:
    process = worker(runtime, stripe)
    try:
        there = [runtime.answered.acquire(timeout=30) for _ in range(COPIES)]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    assert all(there), said
    assert not runtime.errors, said
    before = next(json.loads(line) for line in said.splitlines() if '"drawn"' in line)
    workers = [before, *runtime.answers]
    assert [answer["reply"]["statusCode"] for answer in workers] == [200] * len(workers), workers
    for what in ("pid", "drawn", "thread"):
        assert len({answer[what] for answer in workers}) == len(workers), what
    for answer in runtime.answers:
        new = {runtime.server_port, mariadb.port, int(stripe.url.rpartition(":")[2])}
        assert new <= set(answer["connected"]), "it went on with a connection, or a secret, of before"
    with database.transaction() as tx:
        orders = tx.all("SELECT order_mark, stripe_checkout_session_id FROM ticket_orders")
    assert len(orders) == len({row["order_mark"] for row in orders}) == len(workers)
    assert len({row["stripe_checkout_session_id"] for row in orders}) == len(workers)
