"""SQLite's driver as SQLAlchemy is given it: a statement and all its rows in one visit to its thread.

The driver's own cursor goes there four times for a question (cursor, execute, rows, close) and three times
for a write, and each visit costs both threads more than the statement does. What a statement does, and when
it is on disk, stays SQLite's business. Knows the driver from inside; the tests beside it tell when that
changes.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import aiosqlite

Description = tuple[tuple[str, None, None, None, None, None, None], ...]

CHUNK = 64
"""Rows at a time when the driver iterates by itself, which SQLAlchemy never has it do."""


@dataclass(slots=True)
class _Done:
    """What a statement left behind."""

    rows: list[Any]
    description: Description | None
    rowcount: int
    lastrowid: int | None


_NOTHING = _Done([], None, -1, None)


class Cursor:
    """A cursor in the shape that SQLAlchemy asks of one; it holds nothing open between two calls."""

    __slots__ = ("_connection", "_done", "arraysize")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._done = _NOTHING
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        self._done = await self._connection.run(sql, parameters, sqlite3.Cursor.execute)

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> None:
        self._done = await self._connection.run(sql, parameters, sqlite3.Cursor.executemany)

    async def fetchall(self) -> list[Any]:
        """The rows that were not taken yet."""
        return self._done.rows

    async def close(self) -> None:
        """The statement is over already; only what it told is still here."""

    @property
    def description(self) -> Description | None:
        return self._done.description

    @property
    def rowcount(self) -> int:
        return self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._done.lastrowid


class Connection(aiosqlite.Connection):
    """The driver's connection with cursors of our own. Await it to connect."""

    _stopped: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        """Let the thread end. Gives what is done when it has, as the driver does."""
        self._stopped = super().stop()
        return self._stopped

    def cursor(self) -> Cursor:  # type: ignore[override]  # entered as the driver's is, without a visit
        return Cursor(self)

    async def run(self, sql: str, parameters: Any, execute: Callable[..., sqlite3.Cursor]) -> _Done:
        """Carry out one statement, and take all its rows. Raises what `sqlite3` raises."""
        # The driver's methods have no types.
        done: _Done = await self._execute(  # type: ignore[no-untyped-call]
            _carry_out, self._conn, sql, parameters, execute
        )
        return done


def _carry_out(
    connection: sqlite3.Connection, sql: str, parameters: Any, execute: Callable[..., sqlite3.Cursor]
) -> _Done:
    cursor = connection.cursor()
    try:
        execute(cursor, sql, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return _Done(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
    finally:
        cursor.close()


async def connect(path: Path) -> Connection:
    """A new connection to a file. Raises what `sqlite3` raises."""
    connection = Connection(lambda: sqlite3.connect(path, check_same_thread=False), CHUNK)
    # A process that ends without closing its database must not wait for this thread.
    connection._thread.daemon = True
    try:
        return cast(Connection, await connection)
    except Exception:
        # The driver has told its thread to end, and would leave it to tell so to a loop that may be closed.
        if connection._stopped is not None:
            await connection._stopped
        raise
