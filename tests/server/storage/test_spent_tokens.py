"""How many used tokens are remembered, and for how long."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.spent_tokens import (
    COUNTED_EVERY,
    KEPT_BEYOND_S,
    NoRoom,
    Spending,
    SpentTokens,
    TokenSpent,
)
from server.storage.tables import spent_tokens
from tests.support.databases import migrated, opened

NOW = 1_800_000_000


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    await migrated(database_url)
    async with opened(database_url) as engine:
        yield engine


async def use(
    engine: AsyncEngine,
    tokens: SpentTokens,
    digest: str,
    *,
    use_id: str | None = None,
    now: int = NOW,
    exp: int = NOW + 100,
    result: bool = True,
) -> bool:
    async def work(_connection: AsyncConnection) -> bool:
        return result

    spending = Spending(digest, exp, use_id or f"use of {digest}")
    async with engine.begin() as connection:
        return await tokens.using_up(spending, work, bool, now=now)(connection)


async def held(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        return await connection.scalar(select(func.count()).select_from(spent_tokens)) or 0


async def test_a_token_is_used_up_by_a_success_only(engine: AsyncEngine) -> None:
    tokens = SpentTokens(10)

    assert not await use(engine, tokens, "a", use_id="first", result=False)
    assert await use(engine, tokens, "a", use_id="second")
    with pytest.raises(TokenSpent):
        await use(engine, tokens, "a", use_id="third")
    with pytest.raises(TokenSpent):
        await use(engine, tokens, "a", use_id="fourth", result=False)


async def test_a_transaction_that_is_repeated_does_not_meet_its_own_traces(engine: AsyncEngine) -> None:
    tokens = SpentTokens(10)

    assert await use(engine, tokens, "a", use_id="same")
    assert await use(engine, tokens, "a", use_id="same")
    assert await held(engine) == 1


async def test_the_limit_is_met_exactly(engine: AsyncEngine) -> None:
    tokens = SpentTokens(3)
    for digest in "abc":
        await use(engine, tokens, digest)

    with pytest.raises(NoRoom):
        await use(engine, tokens, "d")
    with pytest.raises(TokenSpent):
        await use(engine, tokens, "a", use_id="another")

    assert await held(engine) == 3


async def test_what_has_expired_makes_room(engine: AsyncEngine) -> None:
    tokens = SpentTokens(2)
    await use(engine, tokens, "a", exp=NOW + 10)
    await use(engine, tokens, "b", exp=NOW + 20)

    with pytest.raises(NoRoom):
        await use(engine, tokens, "c", now=NOW + 10 + KEPT_BEYOND_S - 1)
    await use(engine, tokens, "c", now=NOW + 10 + KEPT_BEYOND_S)
    with pytest.raises(NoRoom):
        await use(engine, tokens, "d", now=NOW + 10 + KEPT_BEYOND_S)

    assert await held(engine) == 2


async def test_what_another_process_remembers_counts(engine: AsyncEngine) -> None:
    for digest in "ab":
        await use(engine, SpentTokens(2), digest)

    with pytest.raises(NoRoom):
        await use(engine, SpentTokens(2), "c")


async def test_the_table_is_cleaned_after_so_many_uses(engine: AsyncEngine) -> None:
    tokens = SpentTokens(10 * COUNTED_EVERY)
    spending = [Spending(f"old {number}", NOW, "use") for number in range(COUNTED_EVERY)]

    async def work(_connection: AsyncConnection) -> bool:
        return True

    async with engine.begin() as connection:
        for item in spending:
            await tokens.using_up(item, work, bool, now=NOW)(connection)
    await use(engine, tokens, "new", now=NOW + 1000, exp=NOW + 2000)

    assert await held(engine) == 1
