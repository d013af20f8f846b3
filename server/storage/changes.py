"""Whether anybody has written to a SQLite file since somebody last looked, at a tenth of a question's cost.

SQLite tells a connection so itself, other processes' commits included, but not that connection's own: this
one never writes. It is opened when it is first asked, by one caller at a time.
"""

import sqlite3
from pathlib import Path

from server.storage.sqlite import Connection, connect


class Changes:
    """You must `close` it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Connection | None = None

    async def version(self) -> int | None:
        """A number that is another one after every commit; None when the file cannot tell."""
        try:
            if self._connection is None:
                self._connection = await connect(self._path)
            done = await self._connection.run("PRAGMA data_version", (), sqlite3.Cursor.execute)
        except (sqlite3.Error, ValueError):  # ValueError: the connection was closed
            return None
        return int(done.rows[0][0])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
