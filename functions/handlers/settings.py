"""What the deployment tells the functions: environment variables, and secrets from AWS Secrets Manager.

template.yaml sets the variables; nothing is configured elsewhere. Secrets are fetched when first needed and kept
for five minutes, so that a rotated password is picked up without a deployment.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypedDict, TypeVar

import msgspec
import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import DictCursor

from handlers.secrets_manager import SecretNotFetched, secret_value
from ticketing.database import FOR_MIGRATIONS, FOR_REQUESTS, FOR_SUMS, Timeouts, connector, is_let_in_over_tls
from ticketing.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    RetryableError,
    StripeUnavailable,
    TicketingError,
)
from ticketing.schema.accounts import FUNCTION_RIGHTS, MIGRATION_RIGHTS, Account

T = TypeVar("T", bound=msgspec.Struct)
# What Secrets Manager says of a secret that will not be readable the next time either
# (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors).
_WRONG_SECRET = frozenset(
    {"AccessDeniedException", "DecryptionFailure", "InvalidRequestException", "ResourceNotFoundException"}
)
_LOGIN_REFUSED = frozenset({ER.ACCESS_DENIED_ERROR, 1698})  # 1698: ER_ACCESS_DENIED_NO_PASSWORD_ERROR
_NO_SUCH_DATABASE = frozenset({ER.BAD_DB_ERROR, ER.DBACCESS_DENIED_ERROR})
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class DatabaseSecret(msgspec.Struct):
    """The secret of the database, in the shape that RDS writes."""

    host: str
    username: str
    password: str
    dbname: str
    port: int = 3306


class AdministratorSecret(msgspec.Struct):
    """The secret of the database's administrator; what RDS manages itself has no more than this."""

    username: str
    password: str


class StripeSecret(msgspec.Struct):
    """The secret of Stripe: the API key, and the signing secret of the webhook endpoint where one is used."""

    api_key: str
    webhook_signing_secret: str = ""


class _Login(TypedDict):
    host: str
    port: int
    user: str
    password: str
    name: str


def required(name: str) -> str:
    """Give an environment variable.

    Raises:
        ConfigurationError: it is missing or empty.
    """
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(f"The environment variable {name} is not set; template.yaml sets it.")
    return value


def whole_number(name: str) -> int:
    """Give an environment variable that is a whole number, 0 or more.

    Raises:
        ConfigurationError: it is missing, or is none.
    """
    value = required(name)
    if not value.isascii() or not value.isdigit():
        raise ConfigurationError(f"{name} must be a whole number.")
    return int(value)


def stripe_livemode() -> bool:
    """Tell whether this environment handles live payments (`STRIPE_LIVEMODE`).

    Raises:
        ConfigurationError: it is neither `true` nor `false`.
    """
    return _flag("STRIPE_LIVEMODE")


def stripe_account_is_shared() -> bool:
    """Tell whether the Stripe account takes payments for other things, too (`STRIPE_ACCOUNT_SHARED`).

    Raises:
        ConfigurationError: it is neither `true` nor `false`.
    """
    return _flag("STRIPE_ACCOUNT_SHARED")


def stripe_account_id() -> str | None:
    """Give the shop's own Stripe account (`STRIPE_ACCOUNT_ID`), where the deployment says which it is."""
    return os.environ.get("STRIPE_ACCOUNT_ID") or None


def _flag(name: str) -> bool:
    value = required(name)
    if value not in {"true", "false"}:
        raise ConfigurationError(f"{name} must be true or false, not {value}.")
    return value == "true"


def stripe_secret() -> StripeSecret:
    """Give Stripe's keys.

    Raises:
        ConfigurationError: the secret has another shape, or its key is none of Stripe's.
        StripeUnavailable: it cannot be fetched right now, so Stripe cannot be asked.
    """
    secret = _secret("STRIPE_SECRET_ARN", StripeSecret, away=StripeUnavailable)
    if not _PRINTABLE.fullmatch(secret.api_key):
        # Sent as it is, an error of the HTTP client would quote it.
        raise ConfigurationError(
            "The api_key in the secret of STRIPE_SECRET_ARN has a blank, a line break or another character that no"
            " Stripe key has."
        )
    return secret


def connect_to_database(timeouts: Timeouts = FOR_REQUESTS) -> Connection[DictCursor]:
    """Open a connection with the credentials of the database's secret.

    Raises:
        ConfigurationError: the secret or the TLS settings are wrong, or there is no such database for this user.
        DatabaseUnavailable: the secret cannot be fetched right now, or the database refuses its password.
        pymysql.err.MySQLError: the database does not answer.
    """
    try:
        return _connect(_secret("DATABASE_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable), timeouts)
    except pymysql.err.OperationalError as error:
        if error.args[0] not in _LOGIN_REFUSED:
            raise
    # The password was rotated since it was fetched: fetch it anew, once.
    secret = _secret("DATABASE_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable, fresh=True)
    try:
        return _connect(secret, timeouts)
    except pymysql.err.OperationalError as error:
        if error.args[0] not in _LOGIN_REFUSED:
            raise
    if _ca_file() is None and is_let_in_over_tls(**_login(secret)):
        raise ConfigurationError(
            "The database requires TLS for the user in the secret of DATABASE_SECRET_ARN, but DATABASE_TLS is off. Set"
            " the parameter DatabaseTls to verify, and deploy."
        )
    # A rotation changes the password first and the secret a moment later: the retries outlast that
    # (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html).
    raise DatabaseUnavailable(
        "The database refuses the user or the password in the secret of DATABASE_SECRET_ARN. The password is being"
        " rotated, or it is wrong, or the user needs a client certificate (REQUIRE X509), which this shop does not"
        " support."
    )


def connect_with_the_secret_as_it_is() -> Connection[DictCursor]:
    """Open a connection with the secret of this moment, which functions that rest on older ones will need soon.

    Raises:
        ConfigurationError: as `connect_to_database`.
        DatabaseUnavailable: as `connect_to_database`.
        pymysql.err.MySQLError: the database does not answer.
    """
    _secret("DATABASE_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable, fresh=True)
    return connect_to_database()


def connect_for_migrations() -> Connection[DictCursor]:
    """Open a connection as `connect_to_database` does, whose statements may take minutes."""
    return connect_to_database(FOR_MIGRATIONS)


def connect_for_sums() -> Connection[DictCursor]:
    """Open a connection as `connect_to_database` does, whose statements may add up all orders."""
    return connect_to_database(FOR_SUMS)


def database_accounts() -> tuple[str, list[Account], bool]:
    """Give the database's name, the users that the secrets name with their rights, and whether they must use TLS.

    Raises:
        ConfigurationError: a secret is wrong, or the two name two databases.
        DatabaseUnavailable: a secret cannot be fetched right now.
    """
    functions = _secret("DATABASE_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable, fresh=True)
    migrations = _secret("DATABASE_MIGRATION_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable, fresh=True)
    if (functions.host, functions.port, functions.dbname) != (migrations.host, migrations.port, migrations.dbname):
        raise ConfigurationError("The functions' and the migrations' secret name two databases: make them one.")
    accounts = [
        Account(functions.username, functions.password, FUNCTION_RIGHTS),
        Account(migrations.username, migrations.password, MIGRATION_RIGHTS),
    ]
    return functions.dbname, accounts, _ca_file() is not None


def connect_as_administrator() -> Connection[DictCursor]:
    """Open a connection as the database's administrator, to no database.

    Raises:
        ConfigurationError: a secret or the TLS settings are wrong, or the administrator is refused.
        DatabaseUnavailable: a secret cannot be fetched right now.
        pymysql.err.MySQLError: the database does not answer.
    """
    place = _secret("DATABASE_SECRET_ARN", DatabaseSecret, away=DatabaseUnavailable)
    administrator = _secret("DATABASE_ADMIN_SECRET_ARN", AdministratorSecret, away=DatabaseUnavailable, fresh=True)
    connect = connector(
        host=place.host,
        port=place.port,
        user=administrator.username,
        password=administrator.password,
        name="",
        ca_file=_ca_file(),
    )
    try:
        return connect()
    except pymysql.err.OperationalError as error:
        if error.args[0] not in _LOGIN_REFUSED:
            raise
        raise ConfigurationError(
            "The database refuses the user or the password in the secret of DATABASE_ADMIN_SECRET_ARN."
        ) from None


def _connect(secret: DatabaseSecret, timeouts: Timeouts) -> Connection[DictCursor]:
    connect = connector(**_login(secret), ca_file=_ca_file(), timeouts=timeouts)
    try:
        return connect()
    except UnicodeError:
        # The error's own text quotes what it could not write, which may be the password.
        raise ConfigurationError(
            "The secret of DATABASE_SECRET_ARN has a host that is no name, or text that is no Unicode."
        ) from None
    except pymysql.err.OperationalError as error:
        if error.args[0] not in _NO_SUCH_DATABASE:
            raise
        raise ConfigurationError(
            f"There is no database {secret.dbname}, or the user in the secret of DATABASE_SECRET_ARN may not use it."
        ) from None


def _login(secret: DatabaseSecret) -> _Login:
    return {
        "host": secret.host,
        "port": secret.port,
        "user": secret.username,
        "password": secret.password,
        "name": secret.dbname,
    }


def _ca_file() -> str | None:
    tls = required("DATABASE_TLS")
    if tls == "off":
        return None
    if tls != "verify":
        raise ConfigurationError(f"DATABASE_TLS must be verify or off, not {tls}.")
    # Relative to the bundle's root, where Lambda unpacks it.
    path = Path(__file__).resolve().parent.parent / required("DATABASE_CA_FILE")
    if not path.is_file():
        raise ConfigurationError(
            f"The database's CA bundle {path} is missing: run `make certificates` before `sam build` (docs/deploy.md)."
        )
    return str(path)


def _secret(variable: str, kind: type[T], *, away: type[RetryableError], fresh: bool = False) -> T:
    """Return a secret. Raises `away` if Secrets Manager does not answer."""
    arn = required(variable)
    try:
        text = secret_value(arn, fresh=fresh)
    except SecretNotFetched as error:
        raise _not_fetched(variable, error.code, away) from None
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except UnicodeError:
        raise ConfigurationError(f"The secret of {variable} has text that is not valid Unicode.") from None
    except msgspec.DecodeError as error:
        # msgspec names the field and the type, never the value.
        raise ConfigurationError(f"The secret of {variable} does not have the expected shape: {error}.") from None


def _not_fetched(variable: str, code: str, away: type[RetryableError]) -> TicketingError:
    if code in _WRONG_SECRET:
        return ConfigurationError(
            f"The secret of {variable} cannot be read: {code}. Check that it exists, and that this function's role may"
            " read it and use its encryption key (docs/deploy.md, Secrets)."
        )
    return away(
        f"The secret of {variable} could not be fetched: {code}. Check that the functions can reach Secrets Manager."
    )
