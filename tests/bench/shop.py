"""The shop that is measured: the whole template on one machine, with a MariaDB that keeps what it commits."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from local.aws.cloud import Deployment
from local.stack import LocalStack, StackOptions
from ticketing.database import connector
from ticketing.schema.runner import apply_migrations


class Shop:
    """A running shop, and further databases like its own on the same server."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack

    @property
    def deployment(self) -> Deployment:
        return self.stack.deployment

    def connect(self, name: str | None = None) -> Connection[Cursor]:
        return self.stack.database.connect(database=name)

    def environment(self, logical_id: str, database: str | None = None) -> dict[str, str]:
        """The environment of a deployed function, as Lambda sets it, on one of the databases."""
        function = self.deployment.functions[logical_id]
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "AWS_REGION": self.stack.cloud.region,
            "AWS_DEFAULT_REGION": self.stack.cloud.region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL": self.stack.cloud.endpoint_url,
            **function.environment,
        }
        if database is not None:
            environment["DATABASE_SECRET_ARN"] = self._secret_of(database)
        return environment

    def add_database(self, name: str) -> str:
        """Make another database with the shop's tables, and give its whole name."""
        whole = f"{self.stack.database.name}_{name}"
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {whole} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        address = replace(self.stack.database_address, name=whole)
        apply_migrations(connector(**asdict(address), ca_file=None))
        return whole

    def _secret_of(self, database: str) -> str:
        address = self.stack.database_address
        secret = {
            "host": address.host,
            "port": address.port,
            "username": address.user,
            "password": address.password,
            "dbname": database,
        }
        name = f"bench/{database}"
        with contextlib.suppress(self.stack.client("secretsmanager").exceptions.ResourceExistsException):
            return self.stack.cloud.create_secret(name, secret)
        arn: str = self.stack.client("secretsmanager").describe_secret(SecretId=name)["ARN"]
        return arn


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    """A shop in a folder of its own that is removed in the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="cachao-bench-"))
    try:
        with LocalStack(folder, StackOptions.throw_away(durable=True)) as stack:
            yield Shop(stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
