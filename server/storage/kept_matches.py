"""Snapshots of running matches, the latest of each: what a server goes on from when it starts again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.tables import kept_matches

_FORGET = delete(kept_matches).where(kept_matches.c.match_id == bindparam("gone"))
_ADD = insert(kept_matches)
_FORGET_OLD = delete(kept_matches).where(
    kept_matches.c.node == bindparam("of_node"), kept_matches.c.taken_at < bindparam("newer_than")
)
_OF_NODE = (
    select(kept_matches).where(kept_matches.c.node == bindparam("of_node")).order_by(kept_matches.c.match_id)
)


@dataclass(frozen=True, slots=True)
class MatchRow:
    """`taken_at`: Unix seconds."""

    match_id: str
    node: str
    kind: str
    taken_at: int
    data: bytes


class KeptMatches:
    """The snapshots of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, rows: Sequence[MatchRow], gone: Sequence[str]) -> None:
        """Write snapshots over those of the same matches, and forget the matches in `gone`."""

        async def work(connection: AsyncConnection) -> None:
            old = [*gone, *(row.match_id for row in rows)]
            await connection.execute(_FORGET, [{"gone": match_id} for match_id in old])
            if rows:
                await connection.execute(
                    _ADD, [{name: getattr(row, name) for name in MatchRow.__slots__} for row in rows]
                )

        if rows or gone:
            await self._database.write(work)

    async def load(self, node: str, newer_than: int) -> Sequence[MatchRow]:
        """The snapshots of a node's matches, after those taken before `newer_than` were forgotten."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_FORGET_OLD, {"of_node": node, "newer_than": newer_than})

        await self._database.write(work)
        async with self._database.read() as connection:
            rows = (await connection.execute(_OF_NODE, {"of_node": node})).mappings().all()
        return [MatchRow(**{name: row[name] for name in MatchRow.__slots__}) for row in rows]
