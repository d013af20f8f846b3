"""Identity tokens that were used up, remembered until they could not be shown any more.

A token is used up in the transaction of what it was used for, so that a use that fails does not use it up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.engine import Work
from server.storage.tables import spent_tokens

T = TypeVar("T")

COUNTED_EVERY = 1_000
KEPT_BEYOND_S = 60
"""Kept for longer than it counts: a token may be checked just before it expires and be used up just after."""


@dataclass(frozen=True, slots=True)
class Spending:
    """A token to use up: what it is known by, the second from which it is refused anyway, and what for."""

    digest: str
    exp: int
    use_id: str


class TokenSpent(Exception):
    """This token was used up before, for something else."""


class NoRoom(Exception):
    """As many tokens are remembered as may be, so that no more can be taken."""


class SpentTokens:
    """Uses up tokens, at most `limit` at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = 0

    def using_up(
        self, token: Spending | None, work: Work[T], succeeded: Callable[[T], bool], *, now: int
    ) -> Work[T]:
        """`work`, which is refused if the token was used up before, and uses it up if it succeeds.

        It raises `TokenSpent` and `NoRoom`, which must undo what it did. Without a token, it is `work`.
        """
        if token is None:
            return work

        async def whole(connection: AsyncConnection) -> T:
            await self._is_spent(connection, token)
            result = await work(connection)
            if succeeded(result):
                await self._spend(connection, token, now)
            return result

        return whole

    async def _is_spent(self, connection: AsyncConnection, token: Spending) -> bool:
        """Whether it was used up before. Raises `TokenSpent` if that was for something else."""
        query = select(spent_tokens.c.use_id).where(spent_tokens.c.digest == token.digest)
        use_id = await connection.scalar(query)
        if use_id not in (None, token.use_id):
            raise TokenSpent
        return use_id is not None

    async def _spend(self, connection: AsyncConnection, token: Spending, now: int) -> None:
        """Use the token up; repeating the same use is none. Raises `TokenSpent` and `NoRoom`."""
        if await self._is_spent(connection, token):
            return
        await self._make_room(connection, now)
        self._room -= 1
        await connection.execute(
            insert(spent_tokens).values(
                digest=token.digest, exp=token.exp + KEPT_BEYOND_S, use_id=token.use_id
            )
        )

    async def _make_room(self, connection: AsyncConnection, now: int) -> None:
        # Counting walks the table, so it is done once for many uses. An insert that is rolled back makes us
        # count too early; those of another process are seen at the next count.
        if self._room > 0:
            return
        await connection.execute(delete(spent_tokens).where(spent_tokens.c.exp <= now))
        held = await connection.scalar(select(func.count()).select_from(spent_tokens)) or 0
        self._room = min(COUNTED_EVERY, self._limit - held)
        if self._room <= 0:
            raise NoRoom
