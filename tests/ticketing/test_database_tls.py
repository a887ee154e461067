"""TLS to the database as on AWS: the server's certificate and name are verified, anything else is refused."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.database.mariadb import MariaDB
from ticketing.database import Database, connector
from ticketing.errors import DatabaseUnavailable

Key = ec.EllipticCurvePrivateKey


def _certificate(
    folder: Path, name: str, *, signed_by: tuple[x509.Certificate, Key] | None, address: str | None = None
) -> tuple[x509.Certificate, Key]:
    """Make a key and a certificate, `name.key` and `name.pem`; without `signed_by` an authority's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_key = signed_by[1] if signed_by else key
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by[0].subject if signed_by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cachao-tls-"))
    authority = _certificate(folder, "authority", signed_by=None)
    _certificate(folder, "server", signed_by=authority, address="127.0.0.1")
    _certificate(folder, "stranger", signed_by=None)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[MariaDB]:
    options = [f"--ssl-cert={certificates / 'server.pem'}", f"--ssl-key={certificates / 'server.key'}"]
    with MariaDB(certificates / "mariadb", port=0, durable=False, options=options) as server:
        yield server


def open_database(server: MariaDB, *, host: str, ca_file: Path) -> Database:
    return Database(connector(**asdict(replace(server.address, host=host)), ca_file=str(ca_file)))


def test_a_server_of_our_authority_and_of_this_name_is_spoken_to_in_secret(
    tls_server: MariaDB, certificates: Path
) -> None:
    database = open_database(tls_server, host="127.0.0.1", ca_file=certificates / "authority.pem")
    with database.transaction() as tx:
        cipher = tx.one("SHOW SESSION STATUS LIKE 'Ssl_version'")
    assert cipher is not None
    assert cipher["Value"].startswith("TLSv1.")
    database.close()


def test_a_certificate_of_another_authority_is_refused(tls_server: MariaDB, certificates: Path) -> None:
    database = open_database(tls_server, host="127.0.0.1", ca_file=certificates / "stranger.pem")
    with pytest.raises(DatabaseUnavailable, match="certificate verify failed"), database.transaction():
        pass


def test_a_certificate_of_another_name_is_refused(tls_server: MariaDB, certificates: Path) -> None:
    database = open_database(tls_server, host="localhost", ca_file=certificates / "authority.pem")
    with pytest.raises(DatabaseUnavailable, match="Hostname mismatch"), database.transaction():
        pass


def test_a_server_without_tls_is_refused(mariadb: MariaDB, certificates: Path) -> None:
    database = open_database(mariadb, host="127.0.0.1", ca_file=certificates / "authority.pem")
    with pytest.raises(DatabaseUnavailable, match="SSL"), database.transaction():
        pass
