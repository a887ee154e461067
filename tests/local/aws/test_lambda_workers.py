"""A function's process, from outside: what Invoke answers when it works, fails, hangs or dies."""

import json
import os
import re
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from local.aws import lambda_pool
from local.aws.lambda_answers import InvokeResult, throttled
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import LambdaService, Proceed, UnknownFunctionError
from tests.local.conftest import EXAMPLE, example_function, is_alive, wait_until


def call(lambdas: LambdaService, name: str, event: object = None) -> Any:
    result = lambdas.invoke(f"stack-{name}", json.dumps(event).encode())
    return json.loads(result.payload)


def failure(result: InvokeResult) -> tuple[str, str]:
    assert result.function_error == "Unhandled"
    payload = json.loads(result.payload)
    return payload["errorType"], payload["errorMessage"]


def test_a_process_is_kept_warm_and_handles_one_call_after_the_other(lambdas: LambdaService) -> None:
    answers = [call(lambdas, "echo", {"n": n}) for n in range(3)]
    assert [answer["event"] for answer in answers] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert len({answer["pid"] for answer in answers}) == 1
    assert len({answer["request_id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "stack-echo",
        "stack-echo:$LATEST",
        "EchoFunction",
        "123456789012:function:stack-echo",
        "arn:aws:lambda:eu-west-1:123456789012:function:stack-echo",
    ],
)
def test_a_function_has_all_its_names(lambdas: LambdaService, name: str) -> None:
    assert lambdas.function(name).handler == "example.echo"


def test_an_unknown_function_is_refused(lambdas: LambdaService) -> None:
    with pytest.raises(UnknownFunctionError):
        lambdas.invoke("stack-nobody", b"{}")


def test_a_function_sees_lambdas_environment_and_nothing_of_ours(
    lambdas: LambdaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_DEVELOPER", "x")
    answer = call(lambdas, "environment")
    seen = answer["variables"]
    assert seen["GREETING"] == "hello"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "stack-environment"
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "A_SECRET_OF_THE_DEVELOPER" not in seen
    assert "HOME" not in seen
    assert answer["directory"] == str(EXAMPLE / "functions")
    assert answer["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:stack-environment"


def test_an_exception_is_reported_with_its_class(lambdas: LambdaService) -> None:
    result = lambdas.invoke("stack-fail", b'{"message": "enough"}')
    assert failure(result) == ("OutOfSortsError", "enough")


def test_a_function_that_outlives_its_timeout_is_killed(lambdas: LambdaService) -> None:
    call(lambdas, "sleep", {"seconds": 0})
    [pid] = lambdas.worker_pids("stack-sleep")
    began = time.monotonic()
    result = lambdas.invoke("stack-sleep", b'{"seconds": 30}')
    assert time.monotonic() - began < 5
    assert failure(result) == (
        "Sandbox.Timedout",
        f"RequestId: {result.request_id} Error: Task timed out after 0.50 seconds",
    )
    assert not is_alive(pid)
    assert call(lambdas, "sleep", {"seconds": 0})["pid"] != pid


def test_a_process_that_ends_midway_is_reported(lambdas: LambdaService) -> None:
    error, message = failure(lambdas.invoke("stack-leave", b'{"code": 3}'))
    assert error == "Runtime.ExitError"
    assert message.endswith("Error: Runtime exited with error: exit status 3")


def test_a_killed_process_is_reported(lambdas: LambdaService, tmp_path: Path) -> None:
    lambdas.deploy([example_function("sleep", timeout_seconds=30)])
    call(lambdas, "sleep", {"seconds": 0})
    begun = tmp_path / "begun"
    killer = threading.Thread(target=lambda: wait_until(begun.exists) and lambdas.kill_workers("stack-sleep"))
    killer.start()
    sleeping = json.dumps({"seconds": 20, "begun": str(begun)}).encode()
    error, message = failure(lambdas.invoke("stack-sleep", sleeping))
    killer.join()
    assert error == "Runtime.ExitError"
    assert message.endswith("Error: Runtime exited with error: signal: killed")
    assert call(lambdas, "sleep", {"seconds": 0})["slept"] == 0


def test_a_worker_that_died_while_idle_is_not_used(lambdas: LambdaService) -> None:
    first = call(lambdas, "echo")["pid"]
    lambdas.kill_workers()
    # A killed process is gone for its parent only when its last thread has ended.
    assert wait_until(lambda: first not in lambdas.worker_pids())
    assert call(lambdas, "echo")["pid"] != first


def test_a_module_that_cannot_be_imported_is_reported(lambdas: LambdaService) -> None:
    lambdas.deploy([example_function("handler", module="broken")])
    error, message = failure(lambdas.invoke("stack-handler", b"{}"))
    assert error == "Runtime.ImportModuleError"
    assert "no_such_package" in message


def test_an_answer_that_is_too_large_is_reported(lambdas: LambdaService) -> None:
    assert len(call(lambdas, "large", {"bytes": 6_000_000})) == 6_000_000
    error, _ = failure(lambdas.invoke("stack-large", b'{"bytes": 7000000}'))
    assert error == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("payload", "status", "error"),
    [
        (b"{not json", 400, "InvalidRequestContentException"),
        (b'"' + b"x" * 7_000_000 + b'"', 413, "RequestTooLargeException"),
    ],
)
def test_a_bad_request_is_refused(lambdas: LambdaService, payload: bytes, status: int, error: str) -> None:
    result = lambdas.invoke("stack-echo", payload)
    assert (result.status_code, result.service_error) == (status, error)


def test_calls_at_once_get_processes_of_their_own_up_to_the_bound_and_the_rest_wait(lambdas: LambdaService) -> None:
    lambdas.deploy([example_function("sleep", timeout_seconds=30)])
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(call(lambdas, "sleep", {"seconds": 0.8}))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert 2 <= len({answer["pid"] for answer in answers}) <= 3  # max_workers of the fixture


def test_many_short_calls_share_few_processes(lambdas: LambdaService) -> None:
    call(lambdas, "echo")
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(call(lambdas, "echo") for _ in range(10))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["request_id"] for answer in answers}) == 200


def test_interceptors_can_answer_instead_or_spoil_what_was_done(lambdas: LambdaService) -> None:
    def refuse(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
        return throttled()

    def lose_the_answer(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        seen.append(json.loads(proceed(invocation).payload)["event"])
        invocation.kill_worker()
        return InvokeResult(b"malformed")

    seen: list[object] = []
    lambdas.interceptors.append(refuse)
    result = lambdas.invoke("stack-echo", b"{}")
    assert (result.status_code, result.service_error) == (429, "TooManyRequestsException")
    assert lambdas.worker_pids() == []

    lambdas.interceptors[:] = [lose_the_answer]
    assert lambdas.invoke("stack-echo", b'{"a": 1}').payload == b"malformed"
    assert seen == [{"a": 1}]
    assert wait_until(lambda: lambdas.worker_pids("stack-echo") == [])


def test_an_asynchronous_call_is_tried_three_times(lambdas: LambdaService) -> None:
    attempts: list[str] = []

    def count(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        attempts.append(invocation.request_id)
        return proceed(invocation)

    lambdas.interceptors.append(count)
    lambdas.invoke_later("stack-fail", b"{}")
    assert wait_until(lambda: len(attempts) == 3)
    assert not wait_until(lambda: len(attempts) > 3, 0.5)


def test_a_function_may_have_no_second_asynchronous_attempt(lambdas: LambdaService) -> None:
    attempts: list[str] = []

    def count(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        attempts.append(invocation.request_id)
        return proceed(invocation)

    lambdas.deploy([replace(example_function("fail"), asynchronous_retries=0)])
    lambdas.interceptors.append(count)
    lambdas.invoke_later("stack-fail", b"{}")
    assert wait_until(lambda: len(attempts) == 1)
    assert not wait_until(lambda: len(attempts) > 1, 0.5)


def test_what_a_function_writes_can_be_read(lambdas: LambdaService) -> None:
    result = lambdas.invoke("stack-fail", b'{"message": "oh"}')
    log = lambdas.log_file(lambdas.function("stack-fail")).read_text()
    assert f"START RequestId: {result.request_id}" in log
    assert "about to fail" in log
    assert '"errorType": "OutOfSortsError"' in log
    assert f"REPORT RequestId: {result.request_id}" in log
    assert log.index("START") < log.index("about to fail") < log.index("END") < log.index("REPORT")


def test_idle_processes_are_ended(tmp_path: Path) -> None:
    service = LambdaService(
        logs_directory=tmp_path, region="eu-west-1", account_id="1", environment={}, idle_seconds=0.2
    )
    service.deploy([example_function("echo")])
    pid = call(service, "echo")["pid"]
    assert wait_until(lambda: not is_alive(pid))
    service.close()


def test_closing_leaves_no_process(lambdas: LambdaService) -> None:
    lambdas.deploy([example_function("sleep", timeout_seconds=30), example_function("echo")])
    call(lambdas, "echo")
    results: list[InvokeResult] = []
    thread = threading.Thread(target=lambda: results.append(lambdas.invoke("stack-sleep", b'{"seconds": 20}')))
    thread.start()
    assert wait_until(lambda: len(lambdas.worker_pids()) == 2)
    pids = lambdas.worker_pids()
    lambdas.close()
    thread.join()
    assert not any(is_alive(pid) for pid in pids)
    assert failure(results[0])[0] == "Runtime.ExitError"


def test_a_full_disk_keeps_no_worker(lambdas: LambdaService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs: list[IO[bytes]] = []

    def append(path: Path, *, buffering: int = -1) -> IO[bytes]:
        logs.append(path.open("ab", buffering=buffering))
        return logs[-1]

    monkeypatch.setattr(lambda_pool, "append_private", append)
    lambdas.deploy([example_function("fail")])  # writes to its log, as the pool does
    with Path("/dev/full").open("ab", buffering=0) as full:
        os.dup2(full.fileno(), logs[-1].fileno())
    for _ in range(5):  # more than the fixture's three workers
        assert lambdas.invoke("stack-fail", b"{}").function_error == "Unhandled"
    with (tmp_path / "space again").open("ab") as file:
        os.dup2(file.fileno(), logs[-1].fileno())
    lambdas.kill_workers()  # they keep the old file
    assert failure(lambdas.invoke("stack-fail", b"{}")) == ("OutOfSortsError", "no message")
    assert len(lambdas.worker_pids()) == 1
    assert "START RequestId" in (tmp_path / "space again").read_text()


def test_a_worker_that_cannot_be_started_takes_nobodys_place(
    lambdas: LambdaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(lambda_pool, "LambdaWorker", refuse)
        for _ in range(5):
            with pytest.raises(OSError, match="temporarily"):
                lambdas.invoke("stack-echo", b"{}")
    assert call(lambdas, "echo", 1)["event"] == 1


def test_what_its_caller_gave_up_on_is_never_begun(lambdas: LambdaService, tmp_path: Path) -> None:
    lambdas.deploy([example_function("sleep", timeout_seconds=30)])
    begun = tmp_path / "begun"
    event = json.dumps({"seconds": 0, "begun": str(begun)}).encode()
    # Nobody is ready yet; then the worker is, and goes to the next caller.
    cold = lambdas.invoke("stack-sleep", event, begin_by=time.monotonic() + 0.001)
    assert cold.service_error == "TooManyRequestsException"
    [pid] = lambdas.worker_pids()
    assert call(lambdas, "sleep", {"seconds": 0})["pid"] == pid
    too_late = lambdas.invoke("stack-sleep", event, begin_by=time.monotonic())
    assert too_late.service_error == "TooManyRequestsException"
    assert call(lambdas, "sleep", {"seconds": 0})["pid"] == pid
    assert not begun.exists()


def test_who_waits_for_a_worker_gives_up_in_time(tmp_path: Path) -> None:
    service = LambdaService(
        logs_directory=tmp_path / "logs", region="eu-west-1", account_id="1", environment={}, max_workers=1
    )
    service.deploy([example_function("sleep")])
    call(service, "sleep", {"seconds": 0})
    running, begun = tmp_path / "running", tmp_path / "begun"
    busy = threading.Thread(target=lambda: call(service, "sleep", {"seconds": 0.6, "begun": str(running)}))
    busy.start()
    assert wait_until(running.exists)
    event = json.dumps({"seconds": 0, "begun": str(begun)}).encode()
    result = service.invoke("stack-sleep", event, begin_by=time.monotonic() + 0.2)
    assert busy.is_alive()
    assert result.service_error == "TooManyRequestsException"
    busy.join()
    assert call(service, "sleep", {"seconds": 0})["slept"] == 0
    assert not begun.exists()
    service.close()


def test_who_waits_for_a_worker_gets_it_in_the_order_of_coming(tmp_path: Path) -> None:
    service = LambdaService(
        logs_directory=tmp_path / "logs", region="eu-west-1", account_id="1", environment={}, max_workers=1
    )
    service.deploy([example_function("sleep")])
    pool = service._pool("stack-sleep")
    call(service, "sleep", {"seconds": 0})
    came: dict[str, str] = {}

    all_wait = tmp_path / "all wait"

    def come(number: int) -> None:
        first = call(service, "sleep", {"seconds": 0, "until": str(all_wait)} if number == 0 else {"seconds": 0})[
            "request_id"
        ]
        came[first] = f"{number}"
        # And at once again: whoever comes anew stands behind those who wait.
        came[call(service, "sleep", {"seconds": 0})["request_id"]] = "again"

    callers = []
    for number in range(6):
        callers.append(threading.Thread(target=come, args=(number,)))
        callers[-1].start()
        assert wait_until(lambda: len(pool._busy) == 1 and len(pool._line) == number)  # noqa: B023 - called at once
    all_wait.touch()
    for caller in callers:
        caller.join()
    log = service.log_file(service.function("stack-sleep")).read_text()
    served = [came[found] for found in re.findall(r"START RequestId: (\S+)", log) if found in came]
    assert served == [*"012345", *["again"] * 6]
    service.close()


def test_a_worker_that_waits_for_the_first_in_line_counts_for_those_behind(lambdas: LambdaService) -> None:
    """Between a worker's return and its next caller's waking nobody else may start one past the line."""
    call(lambdas, "echo")
    pool = lambdas._pool("stack-echo")
    with pool._lock:
        assert (len(pool._idle), len(pool._busy)) == (1, 0)
        assert not pool._may_start(0.0)


def test_a_line_that_does_not_end_gets_a_second_process(
    lambdas: LambdaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(lambdas, "echo")
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            call(lambdas, "echo")

    callers = [threading.Thread(target=ask) for _ in range(4)]
    monkeypatch.setattr(lambda_pool, "_PROCESSORS", 2)
    for caller in callers:
        caller.start()
    several = wait_until(lambda: len(lambdas.worker_pids("stack-echo")) > 1)
    stop.set()
    for caller in callers:
        caller.join()
    assert several


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /x HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"hello\r\n\r\n",
    ],
)
def test_a_stranger_at_a_workers_port_spoils_no_call(lambdas: LambdaService, request_text: bytes) -> None:
    call(lambdas, "echo")
    [worker] = lambdas._pool("stack-echo").living_workers()
    with socket.create_connection(worker._listener.getsockname(), timeout=5) as stranger:
        stranger.sendall(request_text)
        assert call(lambdas, "echo", 7)["event"] == 7
        assert call(lambdas, "echo", 8)["pid"] == worker.pid
