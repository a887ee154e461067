"""boto3's client for our account's event buses, for functions that have time to try again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


def client() -> EventBridgeClient:
    """Give boto3's client, with time-outs that leave room to try again."""
    import boto3  # noqa: PLC0415 -- slow to import
    from botocore.config import Config  # noqa: PLC0415 -- as slow to import

    return boto3.client(
        "events",
        config=Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}),
    )
