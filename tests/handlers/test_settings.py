"""What the deployment tells the functions: variables and secrets, and a sentence for each thing that is wrong."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pymysql
import pytest
from moto.server import ThreadedMotoServer

from handlers import secrets_manager, settings
from local.database.mariadb import MariaDB
from ticketing.database import Database
from ticketing.errors import ConfigurationError, DatabaseUnavailable, StripeUnavailable

PutSecret = Callable[[str, object], None]


@pytest.fixture(scope="module")
def secrets_manager_address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def put_secret(secrets_manager_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PutSecret]:
    """Write a secret into Secrets Manager, and its ARN into the variable that names it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", secrets_manager_address)
    secrets_manager.forget_secrets()
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=secrets_manager_address)
    made: dict[str, str] = {}

    def put(variable: str, value: object) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        if variable in made:
            client.put_secret_value(SecretId=made[variable], SecretString=text)
        else:
            made[variable] = client.create_secret(Name=variable, SecretString=text)["ARN"]
        monkeypatch.setenv(variable, made[variable])

    yield put
    for arn in made.values():
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    secrets_manager.forget_secrets()


def database_secret(server: MariaDB, **other: object) -> dict[str, object]:
    secret = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
    return {**secret, "dbname": server.name, **other}


# --- Variables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("DATABASE_SECRET_ARN", raising=False)
    if value is not None:
        monkeypatch.setenv("DATABASE_SECRET_ARN", value)
    with pytest.raises(ConfigurationError, match=r"DATABASE_SECRET_ARN is not set; template\.yaml sets it"):
        settings.connect_to_database()


@pytest.mark.parametrize(("value", "livemode"), [("true", True), ("false", False)])
def test_livemode(monkeypatch: pytest.MonkeyPatch, value: str, livemode: bool) -> None:
    monkeypatch.setenv("STRIPE_LIVEMODE", value)
    assert settings.stripe_livemode() is livemode


@pytest.mark.parametrize("value", ["True", "1", "yes", "live"])
def test_livemode_is_never_guessed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("STRIPE_LIVEMODE", value)
    with pytest.raises(ConfigurationError, match=f"must be true or false, not {value}"):
        settings.stripe_livemode()


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_the_keys_of_stripe(put_secret: PutSecret) -> None:
    put_secret("STRIPE_SECRET_ARN", {"api_key": "sk_test_1", "webhook_signing_secret": "whsec_1", "more": True})
    assert settings.stripe_secret() == settings.StripeSecret("sk_test_1", "whsec_1")


def test_the_webhook_secret_may_be_missing(put_secret: PutSecret) -> None:
    put_secret("STRIPE_SECRET_ARN", {"api_key": "sk_test_1"})
    assert settings.stripe_secret().webhook_signing_secret == ""


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        ({}, "missing required field `api_key`"),
        ({"api_key": 7, "webhook_signing_secret": "whsec_topsecret"}, "api_key"),
        ([], "Expected `object`"),
        ("sk_test_topsecret", "malformed"),
        (" ", "truncated"),
    ],
)
def test_a_secret_of_another_shape_is_refused_and_not_repeated(
    put_secret: PutSecret, secret: object, part: str
) -> None:
    put_secret("STRIPE_SECRET_ARN", secret)
    with pytest.raises(
        ConfigurationError, match="The secret of STRIPE_SECRET_ARN does not have the expected shape"
    ) as caught:
        settings.stripe_secret()
    assert part in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None, "the parser's own error might have the text"


def test_a_secret_that_is_not_there_is_a_matter_of_configuration(
    put_secret: PutSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:missing")
    with pytest.raises(
        ConfigurationError, match="The secret of STRIPE_SECRET_ARN cannot be read: ResourceNotFoundException"
    ):
        settings.stripe_secret()


def test_secrets_manager_that_cannot_be_reached_may_be_there_later(
    put_secret: PutSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_secret("STRIPE_SECRET_ARN", {"api_key": "sk_test_1"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StripeUnavailable, match="STRIPE_SECRET_ARN could not be fetched: ConnectionRefusedError"):
        settings.stripe_secret()
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database")
    with pytest.raises(DatabaseUnavailable, match="DATABASE_SECRET_ARN could not be fetched"):
        settings.connect_to_database()


def test_a_secret_is_fetched_once_in_a_while(put_secret: PutSecret) -> None:
    put_secret("STRIPE_SECRET_ARN", {"api_key": "sk_test_1"})
    assert settings.stripe_secret().api_key == "sk_test_1"
    put_secret("STRIPE_SECRET_ARN", {"api_key": "sk_test_2"})
    assert settings.stripe_secret().api_key == "sk_test_1"
    secrets_manager.forget_secrets()  # as after five minutes
    assert settings.stripe_secret().api_key == "sk_test_2"


# --- The database -----------------------------------------------------------------------------------------------------


def test_it_connects_with_the_secret(put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    # RDS writes the port as a number, people write it as text, and RDS adds fields of its own.
    put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, port=str(mariadb.port), engine="mariadb"))
    settings.connect_to_database().close()


def test_the_port_of_mariadb_needs_no_mention() -> None:
    assert settings.DatabaseSecret(host="h", username="u", password="p", dbname="d").port == 3306


@contextlib.contextmanager
def rotating_user(mariadb: MariaDB) -> Iterator[pymysql.Connection[Any]]:
    """Make the user `rotating` with the password `first`; gives a connection of root's."""
    root = mariadb.connect(user="root", database="mysql")
    root.query("CREATE OR REPLACE USER 'rotating'@'127.0.0.1' IDENTIFIED BY 'first'")
    root.query(f"GRANT ALL ON `{mariadb.name}`.* TO 'rotating'@'127.0.0.1'")
    try:
        yield root
    finally:
        root.query("DROP USER 'rotating'@'127.0.0.1'")
        root.close()


def test_a_rotated_password_is_fetched_anew(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    with rotating_user(mariadb) as root:
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password="first"))
        settings.connect_to_database().close()
        root.query("ALTER USER 'rotating'@'127.0.0.1' IDENTIFIED BY 'second'")
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password="second"))
        settings.connect_to_database().close()


def test_a_password_that_stays_wrong_is_told(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, password="wrong-password"))
    with pytest.raises(DatabaseUnavailable, match="refuses the user or the password") as caught:
        settings.connect_to_database()
    assert "wrong-password" not in str(caught.value)


def test_a_rotation_that_changes_the_secret_last_is_outlasted_by_trying_again(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    with rotating_user(mariadb) as root:
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password="first"))
        root.query("ALTER USER 'rotating'@'127.0.0.1' IDENTIFIED BY 'second'")
        database = Database(settings.connect_to_database)
        with pytest.raises(DatabaseUnavailable), database.transaction():
            pass
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password="second"))
        with database.transaction() as tx:
            assert tx.one("SELECT 1 AS one") == {"one": 1}


@pytest.mark.parametrize("granted", [False, True])
def test_a_database_that_is_not_there_or_not_granted_is_told(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch, *, granted: bool
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    root = mariadb.connect(user="root", database="mysql")
    root.query("CREATE OR REPLACE USER 'stranger'@'127.0.0.1' IDENTIFIED BY 'x'")
    if granted:
        root.query("GRANT ALL ON `nowhere`.* TO 'stranger'@'127.0.0.1'")
    try:
        secret = database_secret(mariadb, username="stranger", password="x", dbname="nowhere")
        put_secret("DATABASE_SECRET_ARN", secret)
        with pytest.raises(ConfigurationError, match="There is no database nowhere, or the user"):
            settings.connect_to_database()
    finally:
        root.query("DROP USER 'stranger'@'127.0.0.1'")
        root.close()


@pytest.mark.parametrize("password", ["pä", "geheim€x", "пароль", "🎟", "a'b\\"])
def test_a_password_may_have_any_characters(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    with rotating_user(mariadb) as root:
        with root.cursor() as cursor:
            cursor.execute("ALTER USER 'rotating'@'127.0.0.1' IDENTIFIED BY %s", (password,))
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password=password))
        settings.connect_to_database().close()
        put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, username="rotating", password=f"{password}!"))
        secrets_manager.forget_secrets()
        with pytest.raises(DatabaseUnavailable, match="refuses the user or the password") as caught:
            settings.connect_to_database()
    assert password not in str(caught.value)


@pytest.mark.parametrize("field", ["host", "username", "password", "dbname"])
def test_what_cannot_be_written_is_not_quoted(monkeypatch: pytest.MonkeyPatch, mariadb: MariaDB, field: str) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    secret = msgspec.convert({**database_secret(mariadb), field: "geheim" * 20 + "\ud800"}, settings.DatabaseSecret)
    monkeypatch.setattr(settings, "_secret", lambda *_, **__: secret)
    with pytest.raises(ConfigurationError) as caught:
        settings.connect_to_database()
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_a_user_who_must_use_tls_is_told_so_and_not_that_its_password_is_wrong(
    put_secret: PutSecret, tls_server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    root = tls_server.connect(user="root", database="mysql")
    root.query("CREATE USER 'private'@'127.0.0.1' IDENTIFIED BY 'pä' REQUIRE SSL")
    root.query(f"GRANT SELECT ON `{tls_server.name}`.* TO 'private'@'127.0.0.1'")
    root.close()
    put_secret("DATABASE_SECRET_ARN", database_secret(tls_server, username="private", password="pä"))
    with pytest.raises(
        ConfigurationError, match=r"requires TLS .* but DATABASE_TLS is off. Set .* DatabaseTls to verify"
    ):
        settings.connect_to_database()
    put_secret("DATABASE_SECRET_ARN", database_secret(tls_server, username="private", password="wrong"))
    with pytest.raises(DatabaseUnavailable, match="refuses the user or the password"):
        settings.connect_to_database()


@pytest.mark.parametrize(
    "key", ["sk_test_geheim€x", "sk_test_geheimä", "sk_test_geheim\n", " sk_test_geheim", "geheim\r\nX: b", ""]
)
def test_a_key_that_is_none_of_stripes_is_not_quoted(put_secret: PutSecret, key: str) -> None:
    put_secret("STRIPE_SECRET_ARN", {"api_key": key})
    with pytest.raises(ConfigurationError, match="that no Stripe key has") as caught:
        settings.stripe_secret()
    assert "geheim" not in str(caught.value)


def test_a_server_that_is_away_is_not_asked_for_its_password_again(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_TLS", "off")
    put_secret("DATABASE_SECRET_ARN", database_secret(mariadb, port=1))
    with pytest.raises(pymysql.err.OperationalError, match="2003"):
        settings.connect_to_database()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "DATABASE_TLS is not set"),
        ({"DATABASE_TLS": "on"}, "DATABASE_TLS must be verify or off, not on"),
        ({"DATABASE_TLS": "verify"}, "DATABASE_CA_FILE is not set"),
        ({"DATABASE_TLS": "verify", "DATABASE_CA_FILE": "certificates/none.pem"}, "run `make certificates`"),
    ],
)
def test_tls_that_is_not_set_up_is_never_left_out(
    put_secret: PutSecret,
    mariadb: MariaDB,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    sentence: str,
) -> None:
    for name in ("DATABASE_TLS", "DATABASE_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    put_secret("DATABASE_SECRET_ARN", database_secret(mariadb))
    with pytest.raises(ConfigurationError, match=sentence):
        settings.connect_to_database()


def test_the_ca_bundle_is_used(
    put_secret: PutSecret, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate", encoding="ascii")
    monkeypatch.setenv("DATABASE_TLS", "verify")
    monkeypatch.setenv("DATABASE_CA_FILE", str(bundle))
    put_secret("DATABASE_SECRET_ARN", database_secret(mariadb))
    with pytest.raises(Exception, match=r"(?i)certificate|ssl"):
        settings.connect_to_database()
