"""Reads secrets from AWS Secrets Manager: one signed request, without boto3, and keeps them for five minutes.

boto3 takes longer to import than all else of a cold start together, and almost every function needs a secret and
nothing else of AWS (figures: docs/decisions.md). The signature is botocore's, byte for byte (tests/handlers). What is
sent and answered: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html; how it is
signed: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

# A rotated password is picked up after this without a deployment, in seconds.
_KEPT_SECONDS: Final = 300.0
# Without a way to Secrets Manager the function's own timeout would come first, and say nothing of the reason.
_CONNECT_SECONDS: Final = 2.0
_READ_SECONDS: Final = 4.0
_ATTEMPTS: Final = 2
_PAUSE_SECONDS: Final = 0.2

_OK: Final = 200
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_PASSING: Final = frozenset(
    {"ThrottlingException", "RequestTimeout", "RequestTimeoutException", "InternalServiceError"}
)

_SERVICE: Final = "secretsmanager"
_TARGET: Final = "secretsmanager.GetSecretValue"
_CONTENT_TYPE: Final = "application/x-amz-json-1.1"
# Where the partition's endpoints are; others are reached by AWS_ENDPOINT_URL_SECRETS_MANAGER.
_SUFFIXES: Final = {"aws-cn": "amazonaws.com.cn"}
_SUFFIX: Final = "amazonaws.com"
_PARTS_OF_ARN: Final = 7

_kept: dict[str, tuple[str | bytes, float]] = {}


class SecretNotFetched(Exception):
    """Secrets Manager gave no secret.

    Attributes:
        code: its own error code, or the name of the network's error.
    """

    def __init__(self, code: str) -> None:
        """Take the code."""
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request is signed with."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)


def secret_value(arn: str, *, fresh: bool = False) -> str | bytes:
    """Give a secret, at most five minutes old; `fresh`: as it is now.

    Raises:
        SecretNotFetched: it could not be read.
    """
    kept = _kept.get(arn)
    if kept is not None and not fresh and time.monotonic() < kept[1]:
        return kept[0]
    value = _fetch(arn)
    _kept[arn] = (value, time.monotonic() + _KEPT_SECONDS)
    return value


def forget_secrets() -> None:
    """Drop what is kept."""
    _kept.clear()


def signed_headers(
    body: bytes, *, host: str, region: str, credentials: Credentials, moment: datetime
) -> dict[str, str]:
    """Give the headers of a POST to `/` on `host`, signed (AWS Signature Version 4); `moment` in UTC."""
    stamp, scope = moment.strftime("%Y%m%dT%H%M%SZ"), f"{moment:%Y%m%d}/{region}/{_SERVICE}/aws4_request"
    headers = {"content-type": _CONTENT_TYPE, "host": host, "x-amz-date": stamp, "x-amz-target": _TARGET}
    if credentials.token is not None:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _fetch(arn: str) -> str | bytes:
    code = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            status, body = _ask(arn)
        except _network_errors() as error:
            code = type(error).__name__
            continue
        if status == _OK:
            return _value(body)
        code = _error_code(body) or f"HTTP {status}"
        if status < _SERVER_ERROR and status != _TOO_MANY_REQUESTS and code not in _PASSING:
            break
    raise SecretNotFetched(code)


def _ask(arn: str) -> tuple[int, bytes]:
    endpoint, region = _endpoint(arn)
    body = json.dumps({"SecretId": arn}).encode()
    headers = signed_headers(
        body, host=endpoint.netloc, region=region, credentials=_credentials(), moment=datetime.now(UTC)
    )
    return _exchange("POST", endpoint, headers, body)


def _exchange(method: str, address: SplitResult, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
    """Send one request; gives status and body. Raises OSError and http.client's errors."""
    from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415 -- slow to import: not before the first call

    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(_READ_SECONDS)
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _network_errors() -> tuple[type[Exception], ...]:
    from http.client import HTTPException  # noqa: PLC0415 -- as above

    return OSError, HTTPException


def _endpoint(arn: str) -> tuple[SplitResult, str]:
    """Give where to ask, and the region for which to sign: those of the ARN, or as the SDKs' own variables say."""
    parts = arn.split(":")
    if len(parts) < _PARTS_OF_ARN:
        raise SecretNotFetched("ResourceNotFoundException")
    partition, region = parts[1], parts[3]
    reported = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or os.environ.get("AWS_ENDPOINT_URL")
    return urlsplit(reported or f"https://{_SERVICE}.{region}.{_SUFFIXES.get(partition, _SUFFIX)}"), region


def _credentials() -> Credentials:
    """Give the credentials of the function's role.

    Lambda puts them into variables; under SnapStart, whose workers outlive them, they are asked for
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
    """
    address = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if address is None:
        return Credentials(
            access_key=os.environ.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
            token=os.environ.get("AWS_SESSION_TOKEN"),
        )
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    status, body = _exchange("GET", urlsplit(address), {"Authorization": token} if token else {}, None)
    if status != _OK:
        raise OSError(f"The credentials' endpoint answered {status}.")
    try:
        given = json.loads(body)
        return Credentials(
            access_key=given["AccessKeyId"], secret_key=given["SecretAccessKey"], token=given.get("Token")
        )
    except (ValueError, LookupError, TypeError):
        raise OSError("The credentials' endpoint gave none.") from None


def _value(body: bytes) -> str | bytes:
    try:
        answer = json.loads(body)
        text = answer.get("SecretString")
        return text if isinstance(text, str) else base64.b64decode(answer.get("SecretBinary") or "")
    except (ValueError, AttributeError):
        raise SecretNotFetched("an answer that is not Secrets Manager's") from None


def _error_code(body: bytes) -> str:
    """Give the code in an error's answer: `…#ResourceNotFoundException`, or without what stands before the #."""
    try:
        kind = json.loads(body).get("__type", "")
    except (ValueError, AttributeError):
        return ""
    return kind.rpartition("#")[2] if isinstance(kind, str) else ""
