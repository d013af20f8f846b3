"""What a connection promises before anything is asked of it."""

import ssl
from pathlib import Path

import pytest

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
