"""What every task shares: log lines that can be found and tell no buyer, typed input, traces where they are wanted."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from handlers import runtime
from handlers.workflow import validate_event
from local.sample_events.cases import COMPLETED, SAMPLES
from local.sample_events.files import envelope
from tests.ticketing.bundle_only import run_in_the_bundle
from ticketing.errors import DatabaseUnavailable, InvalidEvent, OrderNotFound, UnexpectedResult

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:TicketPayment:1"
INPUT = {"execution_id": EXECUTION, "stripe_event_id": "evt_1", "order_id": 12}
CONTEXT = type("Context", (), {"aws_request_id": "request-1"})()


class Made(msgspec.Struct):
    status: str


class Log(io.StringIO):
    """What the functions wrote, a JSON object a line."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    stream = Log()
    monkeypatch.setattr(runtime.logger.registered_handler, "stream", stream)
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    yield stream
    runtime.logger.clear_state()


def handler_that(answer: object) -> runtime.Handler:
    """A task that returns or raises."""

    @runtime.task(runtime.TaskInput)
    def handler(given: runtime.TaskInput) -> object:
        runtime.logger.info("at work")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


@pytest.mark.parametrize(
    ("answer", "level", "message"),
    [
        (Made("paid"), "INFO", "done"),
        (DatabaseUnavailable("The database is away."), "WARNING", "The database is away."),
        (OrderNotFound("There is no order 12."), "ERROR", "There is no order 12."),
        (ZeroDivisionError("a bug"), "ERROR", "The task failed with an unexpected error"),
    ],
)
def test_every_line_says_what_it_belongs_to(log: Log, answer: object, level: str, message: str) -> None:
    handler = handler_that(answer)
    if isinstance(answer, Exception):
        with pytest.raises(type(answer)):
            handler(INPUT, CONTEXT)
    else:
        assert handler(INPUT, CONTEXT) == {"status": "paid"}
    assert [line["message"] for line in log.lines] == ["at work", message]
    assert log.lines[-1]["level"] == level
    for line in log.lines:
        assert INPUT.items() <= line.items()
        assert line["function_request_id"] == "request-1"
        assert line["timestamp"].endswith("+0000"), "UTC, as everything here"


def test_what_was_made_is_logged(log: Log) -> None:
    handler_that(Made("paid"))(INPUT, CONTEXT)
    assert log.lines[-1]["result"] == {"status": "paid"}


def test_an_error_of_ours_needs_no_stack_trace(log: Log) -> None:
    with pytest.raises(OrderNotFound):
        handler_that(OrderNotFound("There is no order 12."))(INPUT, CONTEXT)
    assert log.lines[-1]["error"] == "OrderNotFound"
    assert "exception" not in log.lines[-1]


def test_a_bug_has_its_stack_trace(log: Log) -> None:
    with pytest.raises(ZeroDivisionError):
        handler_that(ZeroDivisionError("a bug"))(INPUT, CONTEXT)
    assert log.lines[-1]["exception_name"] == "ZeroDivisionError"


def test_nothing_of_one_invocation_is_on_the_lines_of_the_next(log: Log) -> None:
    handler_that(Made("paid"))(INPUT, CONTEXT)
    with pytest.raises(UnexpectedResult):
        handler_that(Made("paid"))({}, None)
    assert "12" not in json.dumps(log.lines[-1].get("order_id", ""))
    assert log.lines[-1].get("execution_id") != EXECUTION


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (None, "Expected `object`"),
        ([], "Expected `object`"),
        ({}, "missing required field `execution_id`"),
        ({"execution_id": 1}, "`$.execution_id`"),
        ({"execution_id": "x", "order_id": "12"}, "`$.order_id`"),
        ({"execution_id": "x", "order_id": 1.5}, "`$.order_id`"),
        ({"execution_id": "x", "order_id": "jenny@example.com"}, "`$.order_id`"),
    ],
)
def test_malformed_input_is_a_permanent_error_in_a_sentence(log: Log, event: object, part: str) -> None:
    with pytest.raises(UnexpectedResult, match="The task's input is malformed") as caught:
        handler_that(Made("paid"))(event, CONTEXT)
    assert part in str(caught.value)
    assert "jenny" not in log.getvalue() + str(caught.value)
    assert [line["level"] for line in log.lines] == ["ERROR"]


def test_an_input_that_was_kept_back_is_invalid() -> None:
    with pytest.raises(InvalidEvent, match="larger than 250,000 bytes"):
        validate_event.handler({"execution_id": EXECUTION, "envelope": validate_event.TOO_LARGE}, CONTEXT)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_no_buyer_gets_into_the_log(log: Log, monkeypatch: pytest.MonkeyPatch, sample: Any) -> None:
    monkeypatch.setenv("STRIPE_LIVEMODE", "false")
    monkeypatch.setenv("STRIPE_ACCOUNT_SHARED", "false")
    event = {"execution_id": EXECUTION, "envelope": envelope(sample, "partner")}
    if sample.outcome == "InvalidEvent":
        with pytest.raises(InvalidEvent):
            validate_event.handler(event, CONTEXT)
    else:
        validate_event.handler(event, CONTEXT)
        assert log.lines[-1]["stripe_event_id"] == sample.detail["id"]
    assert len(log.lines) == 1
    for word in ("@", "Ada", "ada.sample", "4242 4242"):
        assert word not in log.getvalue()


def test_a_metric_is_written_in_the_embedded_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.metrics.provider, "namespace", "Cachao")
    runtime.count_metric("OrdersPaid")
    [line] = [line for line in capsys.readouterr().out.splitlines() if "OrdersPaid" in line]
    assert json.loads(line)["OrdersPaid"] == [1.0]


# --- Traces ----------------------------------------------------------------------------------------------------------

SAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
SCRIPT = """
import json, sys
from handlers.workflow import validate_event
validate_event.handler(json.load(sys.stdin), None)
print("annotated" if "handlers.xray" in sys.modules else "not annotated")
"""


def run_as_a_function(event: object, **environment: str) -> str:
    """Run a handler in a process of its own, as Lambda does; its last line says whether a trace was annotated."""
    return run_in_the_bundle(SCRIPT, event, environment).splitlines()[-1]


TASK = {"execution_id": EXECUTION, "order_id": 12, "envelope": envelope(SAMPLES[0], "partner")}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"_X_AMZN_TRACE_ID": SAMPLED.replace("Sampled=1", "Sampled=0"), "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"},
        {"_X_AMZN_TRACE_ID": SAMPLED},
    ],
)
def test_without_a_sampled_trace_nothing_is_sent(environment: dict[str, str]) -> None:
    assert SAMPLES[0].name == COMPLETED
    assert run_as_a_function(TASK, **environment) == "not annotated"


def test_a_sampled_trace_can_be_found_by_order_and_execution() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        assert run_as_a_function(TASK, _X_AMZN_TRACE_ID=SAMPLED, AWS_XRAY_DAEMON_ADDRESS=address) == "annotated"
        header, _, segment = daemon.recv(65536).partition(b"\n")
    # https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
    assert json.loads(header) == {"format": "json", "version": 1}
    sent = json.loads(segment)
    assert sent["type"] == "subsegment"
    assert sent["parent_id"] == "53995c3f42cd8ad8"
    assert re.fullmatch("[0-9a-f]{16}", sent["id"])
    assert abs(sent["end_time"] - time.time()) < 60
    assert sent["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert sent["annotations"] == {"execution_id": EXECUTION, "order_id": 12}


@pytest.mark.parametrize(
    ("trace", "daemon"), [(SAMPLED, "malformed"), (SAMPLED, "127.0.0.1:0"), ("Sampled=1", "127.0.0.1:2000")]
)
def test_a_trace_that_cannot_be_annotated_loses_no_payment(
    log: Log, monkeypatch: pytest.MonkeyPatch, trace: str, daemon: str
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon)
    assert handler_that({"status": "done"})(INPUT, CONTEXT) == {"status": "done"}
    [warning] = [line for line in log.lines if line["level"] == "WARNING"]
    assert warning["order_id"] == 12
    assert "trace" in warning["message"]


_STACKS = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s:%(message)s")
from handlers import runtime
for name in ("stripe", "ticketing.stripe.client", "botocore.credentials", "a"):
    logging.getLogger(name).warning("heard")
runtime.begin_log(None)
runtime.logger.info("ours")
"""


@pytest.mark.parametrize("stack", ["stripe", "s", "botocore"])
def test_a_stack_whose_name_is_part_of_a_loggers_silences_nobody(stack: str) -> None:
    """Powertools drops every line of a logger that has the service's name in its own."""
    done = subprocess.run(
        [sys.executable, "-c", _STACKS],
        env={**os.environ, "POWERTOOLS_SERVICE_NAME": stack, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    heard = [line.partition(":")[0] for line in done.stderr.splitlines() if line.endswith(":heard")]
    assert heard == ["stripe", "ticketing.stripe.client", "botocore.credentials", "a"]
    [ours] = done.stdout.splitlines()  # and once only: not by the runtime's handler, too
    assert (json.loads(ours)["message"], json.loads(ours)["service"]) == ("ours", stack)
    assert "ours" not in done.stderr
