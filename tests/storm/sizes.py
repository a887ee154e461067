"""How large a storm is, and how bad."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What is sent and what is broken.

    Attributes:
        orders: how many are placed.
        duplicates: events sent more than once, as a share.
        undeliverable: events that EventBridge may not deliver, as a share: they become dead letters.
        database_kills: how often mariadbd gets SIGKILL.
        database_down_seconds: how long it stays down.
        retry_wait_factor: what waits between retries are multiplied by. So short that an outage outlasts the retries
            of some executions: a second here is five minutes on AWS.
        seconds_between_worker_kills: on average.
        max_connections: of mariadbd, whose least is 10; the workers would open `max_workers` for each of five
            functions, and another client comes now and then and takes what it can get.
        max_workers: processes per function.
        events_a_second: at most.
        patience_seconds: until the workflow must be at rest.
    """

    orders: int = 1000
    duplicates: float = 0.3
    undeliverable: float = 0.03
    database_kills: int = 2
    database_down_seconds: float = 2.0
    retry_wait_factor: float = 0.0035
    seconds_between_worker_kills: float = 1.0
    max_connections: int = 12
    max_workers: int = 5
    events_a_second: float = 40.0
    patience_seconds: float = 600.0


FULL = Size()
SMALL = Size(
    orders=60,
    database_kills=1,
    database_down_seconds=1.0,
    seconds_between_worker_kills=1.5,
    max_connections=10,
    max_workers=3,
    events_a_second=20.0,
    patience_seconds=120.0,
)
