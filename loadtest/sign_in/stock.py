"""Identity tokens in stock: fetched before the run begins, and anew once half of a token's life is over.

So the identity provider's cost is no part of the run. Knows no provider: each way in says how a token is
fetched. Bounded by the players of the run, one token each.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtest.failures import reraise_first
from loadtest.sign_in.bridge import Credential, claims_of

UNKNOWN_LIFE_S: Final = 600
"""Assumed of a token that does not tell when it was issued and when it ends."""
MAX_LIFE_S: Final = 24 * 3600


@dataclass(slots=True, repr=False)
class _Kept:
    """One player's token. Whoever wants it while it is fetched waits for that."""

    token: str = ""
    stale_at: float = 0.0
    """The monotonic time from which a new one is wanted."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Stock(ABC):
    """Tokens by player, of a provider that says how one is fetched; at most `at_once` at a time."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._turns = asyncio.Semaphore(at_once)
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    @abstractmethod
    async def fetch(self, name: str) -> str:
        """A new token for this player. Raises SwarmError."""

    async def credential(self, name: str) -> Credential:
        """What the server is shown for this player. Raises SwarmError."""
        return Credential("custom", {"id": await self.token(name)})

    async def prepare(self, names: Sequence[str]) -> None:
        """Fetch what is not there or no longer fresh. Raises the first SwarmError."""
        waiting = iter(names)

        async def fetch_in_turn() -> None:
            for name in waiting:
                await self.token(name)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self._at_once, len(names))):
                    tasks.create_task(fetch_in_turn())
        except BaseExceptionGroup as group:
            reraise_first(group)

    async def token(self, name: str) -> str:
        """From the stock, or fetched. Raises SwarmError."""
        kept = self._kept.setdefault(name, _Kept())
        if self._is_fresh(kept):
            return kept.token
        async with kept.turn:
            if not self._is_fresh(kept):
                async with self._turns:
                    token = await self.fetch(name)
                kept.token, kept.stale_at = token, self._clock() + _life_s(token) / 2
            return kept.token

    def _is_fresh(self, kept: _Kept) -> bool:
        return bool(kept.token) and self._clock() < kept.stale_at


def _life_s(token: str) -> float:
    claims = claims_of(token)
    begun, ends = claims.get("iat"), claims.get("exp")
    if isinstance(begun, int | float) and isinstance(ends, int | float):
        return min(ends - begun, MAX_LIFE_S)
    return UNKNOWN_LIFE_S
