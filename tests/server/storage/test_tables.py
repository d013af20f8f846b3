"""What the schema itself guarantees, whoever writes."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Insert, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.tables import accounts, families, identities
from tests.support.databases import migrated, opened

ALICE = insert(accounts).values(id="1", username="alice", create_time=1, update_time=1)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    await migrated(database_url)
    async with opened(database_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(ALICE)
            await connection.execute(
                insert(identities).values(issuer="i", subject="s", account_id="1", create_time=1)
            )
        yield engine


@pytest.mark.parametrize(
    "statement",
    [
        ALICE,
        insert(accounts).values(id="2", username="alice", create_time=1, update_time=1),
        insert(identities).values(issuer="i", subject="s", account_id="1", create_time=2),
        insert(identities).values(issuer="i", subject="t", account_id="unknown", create_time=1),
        insert(families).values(
            id="f",
            account_id="unknown",
            issuer="i",
            subject="s",
            claim_vars="{}",
            username="alice",
            vars="{}",
            session_kid="k",
            refresh_kid="k",
            session_exp=1,
            refresh_exp=1,
            rotated_at=1,
            created_at=1,
            absolute_exp=1,
        ),
    ],
)
async def test_an_id_a_name_and_an_identity_are_unique_and_belong_to_an_account(
    engine: AsyncEngine, statement: Insert
) -> None:
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(statement)


async def test_the_same_subject_of_another_issuer_is_another_row(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            insert(identities).values(issuer="j", subject="s", account_id="1", create_time=1)
        )


async def test_times_beyond_2038_and_text_of_every_script_are_kept(engine: AsyncEngine) -> None:
    late, name = 2**40, "Zoë 😀 \u200d"
    async with engine.begin() as connection:
        await connection.execute(
            insert(accounts).values(id="2", username=name, create_time=late, update_time=late)
        )
        row = (await connection.execute(select(accounts).where(accounts.c.id == "2"))).one()

    assert (row.username, row.create_time, row.metadata) == (name, late, "{}")
