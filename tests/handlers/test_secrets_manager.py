"""The signed request to Secrets Manager: as botocore signs it, asked again where that may help, kept for a while."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from handlers import secrets_manager
from handlers.secrets_manager import Credentials, SecretNotFetched, secret_value, signed_headers

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database-AbCdEf"
_CREDENTIAL = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
Answer = tuple[int, dict[str, object] | bytes]


@given(
    key=_CREDENTIAL,
    secret=_CREDENTIAL,
    token=st.none() | _CREDENTIAL,
    arn=st.text(max_size=80),
    moment=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2099, 1, 1)),  # noqa: DTZ001 -- hypothesis adds the zone
    region=st.sampled_from(["eu-west-1", "cn-north-1", "us-gov-west-1"]),
)
def test_the_signature_is_botocores(
    key: str, secret: str, token: str | None, arn: str, moment: datetime, region: str
) -> None:
    body = json.dumps({"SecretId": arn}).encode()
    moment = moment.replace(tzinfo=UTC)
    host = f"secretsmanager.{region}.amazonaws.com"
    ours = signed_headers(
        body,
        host=host,
        region=region,
        credentials=Credentials(access_key=key, secret_key=secret, token=token),
        moment=moment,
    )
    request = AWSRequest(
        method="POST",
        url=f"https://{host}/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: moment.replace(tzinfo=None))
        botocore.auth.SigV4Auth(BotocoreCredentials(key, secret, token), "secretsmanager", region).add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


class Server:
    """Answers as it is told, and notes what it was asked: (method, path, headers, body)."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.address = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, answer = told.answers.pop(0)
            if status == 0:
                return  # closes the connection
            written = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST  # noqa: N815 -- http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    told.address = f"http://127.0.0.1:{http.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", told.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setattr(secrets_manager, "_PAUSE_SECONDS", 0.0)
    secrets_manager.forget_secrets()
    yield told
    secrets_manager.forget_secrets()
    http.shutdown()
    thread.join()
    http.server_close()


GIVEN: Answer = (200, {"SecretString": "value"})


@pytest.mark.parametrize(
    "first",
    [
        (500, {"__type": "InternalServiceError"}),
        (503, b"<html>"),
        (429, {}),
        (400, {"__type": "ThrottlingException"}),
        (0, b""),
    ],
)
def test_what_may_pass_is_asked_once_more(server: Server, first: Answer) -> None:
    server.answers = [first, GIVEN]
    assert secret_value(ARN) == "value"
    server.answers = [first, first]
    with pytest.raises(SecretNotFetched):
        secret_value(ARN, fresh=True)
    assert server.answers == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((400, {"__type": "ResourceNotFoundException"}), "ResourceNotFoundException"),
        ((400, {"__type": "com.amazonaws.secretsmanager#AccessDeniedException"}), "AccessDeniedException"),
        ((403, b"no JSON"), "HTTP 403"),
        ((400, b"[]"), "HTTP 400"),
        ((200, b"<html>"), "an answer that is not Secrets Manager's"),
        ((200, b"[]"), "an answer that is not Secrets Manager's"),
    ],
)
def test_what_stays_wrong_is_asked_once(server: Server, answer: Answer, code: str) -> None:
    server.answers = [answer]
    with pytest.raises(SecretNotFetched) as caught:
        secret_value(ARN)
    assert caught.value.code == code


def test_a_secret_in_bytes(server: Server) -> None:
    server.answers = [(200, {"SecretBinary": "eyJhIjogMX0="})]
    assert secret_value(ARN) == b'{"a": 1}'


def test_a_secret_is_kept_for_five_minutes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    server.answers = [GIVEN, (200, {"SecretString": "rotated"})]
    assert [secret_value(ARN), secret_value(ARN)] == ["value", "value"]
    now += 299
    assert secret_value(ARN) == "value"
    now += 2
    assert secret_value(ARN) == "rotated"


def test_under_snapstart_the_credentials_are_asked_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the variables have none (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html)."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.address}/credentials?a=b")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in")
    server.answers = [(200, {"AccessKeyId": "AKSNAP", "SecretAccessKey": "k", "Token": "session"}), GIVEN]
    assert secret_value(ARN) == "value"
    (method, path, headers, _), (_, _, signed, _) = server.asked
    assert (method, path, headers["authorization"]) == ("GET", "/credentials?a=b", "let me in")
    assert "Credential=AKSNAP/" in signed["authorization"]
    assert signed["x-amz-security-token"] == "session"
    server.answers = [(200, b"{}"), (404, b"")]
    with pytest.raises(SecretNotFetched, match="OSError"):
        secret_value(ARN, fresh=True)


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (ARN, "secretsmanager.eu-west-1.amazonaws.com"),
        (ARN.replace("arn:aws:", "arn:aws-us-gov:"), "secretsmanager.eu-west-1.amazonaws.com"),
        (
            "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:database-AbCdEf",
            "secretsmanager.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_the_endpoint_is_that_of_the_secrets_region(monkeypatch: pytest.MonkeyPatch, arn: str, host: str) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    endpoint, region = secrets_manager._endpoint(arn)
    assert (endpoint.scheme, endpoint.netloc) == ("https", host)
    assert region == arn.split(":")[3]
    with pytest.raises(SecretNotFetched, match="ResourceNotFoundException"):
        secrets_manager._endpoint("database")


def test_no_credential_is_in_a_text_of_it() -> None:
    assert "geheim" not in repr(Credentials(access_key="AKID", secret_key="geheim", token="geheim"))


def test_a_server_that_takes_connections_and_says_nothing_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_manager, "_READ_SECONDS", 0.05)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(SecretNotFetched, match="TimeoutError"):
            secret_value(ARN)
