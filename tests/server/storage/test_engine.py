"""What a connection promises before anything is asked of it."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from server.storage.engine import open_postgres, open_sqlite
from server.storage.url import PostgresServer
from tests.support.postgres import PASSWORD, Postgres


async def test_a_commit_to_a_file_waits_for_the_disk(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "a % b?.db", begin="BEGIN IMMEDIATE", pool_size=1, timeout_s=1.5)
    async with engine.begin() as connection:
        pragmas = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    await engine.dispose()

    assert pragmas == ["wal", 2, 1, 1500]
    assert (tmp_path / "a % b?.db").is_file()


async def test_a_commit_to_a_server_waits_for_its_disk(postgres: Postgres) -> None:
    engine = open_postgres(postgres.server("postgres"), pool_size=1)
    async with engine.begin() as connection:
        settings = [
            (await connection.exec_driver_sql(f"SHOW {name}")).scalar()
            for name in ("synchronous_commit", "transaction_isolation", "application_name")
        ]
    await engine.dispose()

    assert settings == ["on", "read committed", "lockgate"]


async def test_a_password_is_in_no_repr(postgres: Postgres) -> None:
    engine = open_postgres(postgres.server("postgres"), pool_size=1)

    assert PASSWORD not in f"{engine!r} {engine.url} {engine.pool!r}"
    await engine.dispose()


async def test_a_connection_that_the_server_closed_is_not_used_again(postgres: Postgres) -> None:
    engine = open_postgres(postgres.server("postgres"), pool_size=1)
    async with engine.connect() as connection:
        first = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar()
    await postgres.execute(f"SELECT pg_terminate_backend({first}, 5000)")
    async with engine.connect() as connection:
        second = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar()
    await engine.dispose()

    assert second != first


def test_a_certificate_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = PostgresServer("h", 1, "d", sslmode="verify-full", sslrootcert=str(tmp_path / "none.pem"))
    (tmp_path / "odd.pem").write_text("no certificate")
    odd = PostgresServer("h", 1, "d", sslmode="verify-ca", sslrootcert=str(tmp_path / "odd.pem"))

    with pytest.raises(ValueError, match="sslrootcert: No such file"):
        open_postgres(missing, pool_size=1)
    with pytest.raises(ValueError, match="sslrootcert"):
        open_postgres(odd, pool_size=1)


async def test_a_server_without_tls_is_refused_where_it_is_required(postgres: Postgres) -> None:
    server = postgres.server("postgres")
    for mode in ("require", "verify-full"):
        secured = PostgresServer(server.host, server.port, "postgres", server.user, server.password, mode)
        engine = open_postgres(secured, pool_size=1)
        with pytest.raises((OSError, ssl.SSLError)):
            async with engine.connect():
                pass
        await engine.dispose()


@pytest.fixture
def certificate(own_postgres: Postgres, tmp_path: Path) -> Path:
    """What vouches for a server that has TLS: its own certificate, for the address 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    own_postgres.give("server.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    own_postgres.give("server.crt", file.read_bytes())
    return file


async def answers(server: PostgresServer) -> bool:
    engine = open_postgres(server, pool_size=1)
    try:
        async with engine.connect() as connection:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return bool((await connection.exec_driver_sql(query)).scalar())
    finally:
        await engine.dispose()


async def test_a_server_is_believed_by_its_certificate(own_postgres: Postgres, certificate: Path) -> None:
    await own_postgres.execute("ALTER SYSTEM SET ssl = on")
    own_postgres.stop()
    own_postgres.start()
    plain = own_postgres.server("postgres")
    secured = replace(plain, sslmode="verify-full", sslrootcert=str(certificate))

    assert await answers(secured)
    assert await answers(replace(secured, sslmode="verify-ca"))
    assert await answers(replace(plain, sslmode="require"))
    assert not await answers(replace(plain, sslmode="disable"))
    with pytest.raises(ssl.SSLCertVerificationError):
        await answers(replace(secured, sslrootcert=None))
    with pytest.raises(ssl.SSLCertVerificationError):
        await answers(replace(secured, host="localhost"))
