"""Tokens are fetched once, ahead, few at a time, and again when half of their life is over."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from loadtest.failures import SwarmError
from loadtest.sign_in.stock import MAX_LIFE_S, UNKNOWN_LIFE_S, Stock, _Kept

NAMES = [f"player-{number}" for number in range(20)]


def jwt(life_s: int) -> str:
    claims = json.dumps({"iat": 1000, "exp": 1000 + life_s}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sign"


class Own(Stock):
    """A stock of what this function gives."""

    def __init__(
        self,
        give: Callable[[str], Awaitable[str]],
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(at_once, clock)
        self._give = give

    async def fetch(self, name: str) -> str:
        return await self._give(name)


class Provider:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.busy = 0
        self.most_busy = 0

    async def fetch(self, _name: str) -> str:
        self.asked += 1
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        return jwt(100)


async def test_what_was_prepared_is_not_fetched_again() -> None:
    provider = Provider()
    stock = Own(provider.fetch, 4, lambda: provider.now)

    await stock.prepare(NAMES)
    await stock.token(NAMES[0])

    assert (provider.asked, provider.most_busy) == (len(NAMES), 4)


@pytest.mark.parametrize(("age_s", "asked"), [(49, 1), (51, 2)])
async def test_a_token_is_fetched_anew_behind_half_its_life(age_s: int, asked: int) -> None:
    provider = Provider()
    stock = Own(provider.fetch, 4, lambda: provider.now)
    await stock.token("ann")

    provider.now = age_s
    await stock.token("ann")

    assert provider.asked == asked


async def test_who_wants_a_token_while_it_is_fetched_waits_for_that() -> None:
    provider = Provider()
    stock = Own(provider.fetch, 4, lambda: provider.now)

    tokens = await asyncio.gather(*(stock.token("ann") for _ in range(9)))

    assert provider.asked == 1
    assert set(tokens) == {jwt(100)}


async def test_after_a_refusal_the_next_one_asks_again() -> None:
    answers: Iterator[SwarmError | str] = iter([SwarmError("no"), jwt(100)])

    async def fetch(_name: str) -> str:
        answer = next(answers)
        if isinstance(answer, SwarmError):
            raise answer
        return answer

    stock = Own(fetch, 4)

    found = await asyncio.gather(stock.token("ann"), stock.token("ann"), return_exceptions=True)

    assert [type(each) for each in found] == [SwarmError, str]


@pytest.mark.parametrize(
    ("token", "life_s"),
    [("opaque", UNKNOWN_LIFE_S), ("a.b.c", UNKNOWN_LIFE_S), (jwt(10**9), MAX_LIFE_S)],
)
async def test_what_a_token_does_not_tell_is_assumed(token: str, life_s: int) -> None:
    provider, asked = Provider(), []

    async def fetch(name: str) -> str:
        asked.append(name)
        return token

    stock = Own(fetch, 4, lambda: provider.now)
    for provider.now in (0, life_s / 2 - 1, life_s / 2 + 1):
        await stock.token("ann")

    assert len(asked) == 2


async def test_a_refusal_is_raised_by_itself() -> None:
    async def refuse(_name: str) -> str:
        raise SwarmError("no")

    with pytest.raises(SwarmError, match="no"):
        await Own(refuse, 4).prepare(NAMES)


def test_a_stock_tells_no_token() -> None:
    kept = _Kept("s3cret")

    assert "s3cret" not in repr(kept) + str(kept)
