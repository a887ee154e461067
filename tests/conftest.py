"""One throw-away MariaDB for the whole test session, and a migrated, empty database for every test."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from local.database.mariadb import MariaDB
from local.stripe_stand_in import StripeStandIn
from tests.artefact import TEMPLATE as TEMPLATE  # noqa: PLC0414 -- many take it from here
from tests.artefact import chosen
from tests.certificates import make_certificate
from tests.sizes import FULL
from ticketing.database import FOR_REQUESTS, Database, Timeouts, connector
from ticketing.schema.runner import apply_migrations

if TYPE_CHECKING:
    from local.aws.cloud import LocalCloud

# Quoted: only the stubs know that a Connection has a kind of cursor.
Connect = Callable[[], "Connection[DictCursor]"]

# Names the folder of a server that runs already, and is migrated: for whoever starts pytest thousands of times.
RUNNING_SERVER = "TEST_MARIADB"

TABLES = (
    "order_history",
    "counts_off",
    "counter_corrections",
    "order_corrections",
    "event_refund_lines",
    "event_refunds",
    "order_disputes",
    "order_refunds",
    "order_payments",
    "idempotency_keys",
    "reported_sessions",
    "resent_events",
    "event_scans",
    "order_checkouts",
    "ticket_orders",
    "discount_codes",
    "ticket_discounts",
    "tickets",
    "events",
)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real server on a free port; nothing of the system's is touched, nothing is left behind."""
    if RUNNING_SERVER in os.environ:
        yield _running(Path(os.environ[RUNNING_SERVER]))
        return
    folder = Path(tempfile.mkdtemp(prefix="cachao-tests-"))
    try:
        with MariaDB(folder, port=0, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _running(folder: Path) -> MariaDB:
    server = MariaDB(folder, port=int((folder / "port").read_text(encoding="ascii")))
    server.password = (folder / "password").read_text(encoding="ascii").strip()
    return server


@pytest.fixture(scope="session")
def _migrated(mariadb: MariaDB) -> Connect:
    connect = connect_to(mariadb, mariadb.name)
    if RUNNING_SERVER not in os.environ:
        apply_migrations(connect)
    return connect


@pytest.fixture
def connect(_migrated: Connect, _cleaner: Cleaner) -> Iterator[Connect]:
    """Open connections to a migrated database whose tables are empty; all are closed when the test ends."""
    opened: list[Connection[DictCursor]] = []

    def open_one() -> Connection[DictCursor]:
        connection = _migrated()
        opened.append(connection)
        return connection

    _cleaner.empty_tables()
    yield open_one
    for connection in opened:
        if connection.open:
            connection._force_close()  # type: ignore[attr-defined]


@pytest.fixture
def database(connect: Connect) -> Database:
    """The shop's own way to that database."""
    return Database(connect)


def connect_to(server: MariaDB, name: str, timeouts: Timeouts = FOR_REQUESTS, *, user: str | None = None) -> Connect:
    """Give the shop's own connector to a database of the test server."""
    address = replace(server.address, name=name, user=user or server.user)
    return connector(**asdict(address), ca_file=None, timeouts=timeouts)


class Cleaner:
    """Empties all tables before each test, by one statement on a connection that stays."""

    _SQL = f"BEGIN NOT ATOMIC {' '.join(f'DELETE FROM {table};' for table in TABLES)} COMMIT; END"

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection[DictCursor] | None = None

    def empty_tables(self) -> None:
        try:
            self._empty()
        except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
            # The test before has ended it, or the server's time-out.
            self.close()
            self._empty()

    def close(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection._force_close()  # type: ignore[attr-defined]
        self._connection = None

    def _empty(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.query(self._SQL)


def empty_tables(connect: Connect) -> None:
    """Delete every row."""
    cleaner = Cleaner(connect)
    cleaner.empty_tables()
    cleaner.close()


@pytest.fixture(scope="session")
def _cleaner(_migrated: Connect) -> Iterator[Cleaner]:
    cleaner = Cleaner(_migrated)
    yield cleaner
    cleaner.close()


@pytest.fixture
def empty_schema(mariadb: MariaDB) -> Iterator[Connect]:
    """A database of this test's own without any table, for migrations."""
    name = f"{mariadb.name}_empty"
    root = pymysql.connect(host=mariadb.host, port=mariadb.port, user="root", password=mariadb.password)
    try:
        with root.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        yield connect_to(mariadb, name)
        with root.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
    finally:
        root.close()


@pytest.fixture(scope="session", autouse=True)
def _aws_models_are_read_once() -> Iterator[None]:
    """Let all of botocore's sessions share what they read from disk: a tenth of a second for each client."""
    create_loader = functools.cache(botocore.session.create_loader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", create_loader)
        yield


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cachao-tls-"))
    authority = make_certificate(folder, "authority", signed_by=None)
    make_certificate(folder, "server", signed_by=authority, address="127.0.0.1")
    make_certificate(folder, "stranger", signed_by=None)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[MariaDB]:
    options = [f"--ssl-cert={certificates / 'server.pem'}", f"--ssl-key={certificates / 'server.key'}"]
    with MariaDB(certificates / "mariadb", port=0, durable=False, options=options) as server:
        yield server


# --- The whole template on one machine ------------------------------------------------------------------------------


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what shares the deployed template."""
    if "session_cloud" in getattr(item, "fixturenames", ()):
        item.add_marker("cloud")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what shares the deployed template last: moto has one state in a process, and other tests use moto, too.

    What is marked `full` runs in `make test-all` only.
    """
    if not FULL:
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
    items.sort(key=lambda item: item.get_closest_marker("cloud") is not None)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported, and come less often: it took a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Spare hypothesis' summary where nothing uses hypothesis: it would be imported for that."""
    if "hypothesis" not in sys.modules:
        session.config.pluginmanager.unregister(name="hypothesispytest")


PARTNER_BUS = "aws.partner/stripe.com/ed_test_1234567890"


@pytest.fixture(scope="session")
def stripe_stand_in() -> Iterator[StripeStandIn]:
    """Stripe's place, for the functions that ask it; its events are not delivered, tests put their own."""
    with StripeStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def session_cloud(mariadb: MariaDB, _migrated: Connect, stripe_stand_in: StripeStandIn) -> Iterator[LocalCloud]:
    """The real template in the local cloud, its functions on the test database. Waits between retries are short."""
    # Here, because moto takes seconds to import, and most tests do without.
    from local.aws.cloud import LocalCloud  # noqa: PLC0415
    from local.aws.template import load_template  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="cachao-cloud-"))
    try:
        artefact = chosen()
        with LocalCloud(folder, port=0, retry_wait_factor=0.002, run_schedules=False, python=artefact.python) as cloud:
            migrations = {
                "host": mariadb.host,
                "port": mariadb.port,
                "username": mariadb.user,
                "password": mariadb.password,
                "dbname": mariadb.name,
            }
            functions = migrations | {"username": mariadb.functions_user}
            administrator = {"username": "root", "password": mariadb.password}
            stripe_secret = cloud.create_secret(
                "stripe", {"api_key": "sk_test_local", "webhook_signing_secret": "whsec_local"}
            )
            cloud.deploy(
                load_template(
                    artefact.template,
                    parameters={
                        "StripeEventSourceName": PARTNER_BUS,
                        "StripeLivemode": "false",
                        "StripeSecretArn": stripe_secret,
                        "StripeApiBase": stripe_stand_in.url,
                        "DatabaseSecretArn": cloud.create_secret("database", functions),
                        "DatabaseMigrationSecretArn": cloud.create_secret("database-migrations", migrations),
                        "DatabaseAdminSecretArn": cloud.create_secret("database-admin", administrator),
                        "DatabaseTls": "off",
                        "FrontendOrigins": "http://localhost:5173",
                        "FrontendUrl": "http://localhost:5173",
                        "CognitoIssuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_test",
                        "CognitoClientIds": "client",
                    },
                    region=cloud.region,
                    account_id=cloud.account_id,
                )
            )
            yield cloud
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cloud(session_cloud: LocalCloud) -> Iterator[LocalCloud]:
    """The local cloud with nothing running, and nobody interfering."""
    yield session_cloud
    session_cloud.lambdas.interceptors.clear()
    session_cloud.deliveries.interceptors.clear()
    session_cloud.wait_until_idle(timeout_seconds=60)
