"""What Alembic is told, and not told."""

import logging

from tests.support.databases import migrated


async def test_a_migration_leaves_the_logging_as_it_was(empty_url: str) -> None:
    root, alembic = logging.getLogger(), logging.getLogger("alembic")
    before = (
        root.handlers[:],
        root.level,
        root.disabled,
        alembic.handlers[:],
        alembic.level,
        alembic.disabled,
    )

    await migrated(empty_url)

    after = (
        root.handlers[:],
        root.level,
        root.disabled,
        alembic.handlers[:],
        alembic.level,
        alembic.disabled,
    )
    assert after == before
