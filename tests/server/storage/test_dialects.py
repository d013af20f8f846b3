"""Turns that no row stands for, and text that no database takes."""

import asyncio

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.dialects import is_storable, take_turn
from server.storage.tables import bans
from tests.support.databases import migrated, opened


async def test_a_turn_lasts_until_the_end_of_the_transaction(database_url: str) -> None:
    await migrated(database_url)

    async def second(engine: AsyncEngine) -> str | None:
        async with engine.begin() as connection:
            await take_turn(connection, "name")
            return await connection.scalar(select(bans.c.subject))

    async with opened(database_url) as one, opened(database_url) as two:
        async with one.begin() as connection:
            await take_turn(connection, "name")
            await take_turn(connection, "name")  # it has it already
            waits = asyncio.ensure_future(second(two))  # noqa: TID251 (a test's own task)
            await connection.execute(insert(bans).values(issuer="i", subject="s", reason="", created_at=1))

        assert await waits == "s"


async def test_turns_of_two_names_do_not_wait_for_each_other(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        return  # one writer at a time: any two wait for each other
    await migrated(database_url)

    async with opened(database_url) as engine, engine.begin() as one, engine.begin() as two:
        await take_turn(one, "name")
        async with asyncio.timeout(5):
            await take_turn(two, "another name")


@pytest.mark.parametrize("text", ["a\0", "\ud800", "a\udfff"])
def test_text_that_no_database_takes(text: str) -> None:
    assert not is_storable(text)


@pytest.mark.parametrize("text", ["", "alice", "Zoë 😀", "\u202e\ufffe\n"])
def test_text_that_every_database_takes(text: str) -> None:
    assert is_storable(text)
