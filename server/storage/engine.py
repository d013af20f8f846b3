"""Connections to a database through SQLAlchemy: how each kind is opened, and what its transactions promise.

A commit is on disk when it returns: SQLite in WAL with `synchronous=FULL`, PostgreSQL with
`synchronous_commit=on`. Values of a statement never get into an error's text.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from server.storage.sqlite import connect
from server.storage.url import PostgresServer

T = TypeVar("T")

TIMEOUT_S = 10.0

Work = Callable[[AsyncConnection], Awaitable[T]]


def open_sqlite(
    path: Path,
    *,
    begin: str | None,
    pool_size: int,
    timeout_s: float = TIMEOUT_S,
    foreign_keys: bool = True,
) -> AsyncEngine:
    """An engine whose transactions start with `begin`, as SQLAlchemy's SQLite notes advise.

    None: each statement stands alone.
    """
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        async_creator=partial(connect, path),
        skip_autocommit_rollback=begin is None,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        hide_parameters=True,
    )

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN would come late, and a read followed by a write could then fail as busy.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={int(timeout_s * 1000)}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", set_up)
    if begin is not None:
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def open_postgres(
    server: PostgresServer, *, pool_size: int, timeout_s: float = TIMEOUT_S, statement_s: float | None = None
) -> AsyncEngine:
    """An engine of at most `pool_size` connections, each made, found free and answered within `timeout_s`.

    `statement_s` takes the place of the last; 0 waits for an answer without end. Raises ValueError for a
    certificate that cannot be read.
    """
    statement_s = timeout_s if statement_s is None else statement_s
    arguments: dict[str, Any] = {
        "timeout": timeout_s,
        "command_timeout": statement_s or None,
        "server_settings": {
            "application_name": "lockgate",
            "default_transaction_isolation": "read committed",
            "synchronous_commit": "on",
        },
    }
    if (secured := _ssl(server)) is not None:
        arguments["ssl"] = secured
    engine = create_async_engine(
        _address(server),
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        hide_parameters=True,
    )

    def is_alive(connection: DBAPIConnection, _entry: ConnectionPoolEntry, _proxy: object) -> None:
        # A server that went away has closed its connections, which the driver knows without asking.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    event.listen(engine.sync_engine, "checkout", is_alive)
    return engine


def _address(server: PostgresServer) -> URL:
    is_socket = server.host.startswith("/")
    return URL.create(
        "postgresql+asyncpg",
        username=server.user,
        password=server.password,
        host=None if is_socket else server.host,
        port=None if is_socket else server.port,
        database=server.database,
        query={"host": server.host, "port": str(server.port)} if is_socket else {},
    )


def _ssl(server: PostgresServer) -> ssl.SSLContext | str | None:
    if server.sslmode not in ("verify-ca", "verify-full"):
        return server.sslmode
    try:
        context = ssl.create_default_context(cafile=server.sslrootcert)
    except OSError as error:  # no such file, or no certificate
        raise ValueError(f"storage.url: sslrootcert: {error.strerror or error}") from None
    context.check_hostname = server.sslmode == "verify-full"
    return context
