"""The schema from before there were revisions."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect

from server.storage.migrate import UNVERSIONED
from tests.support.databases import migrated, opened

BEFORE_REVISIONS = """
CREATE TABLE accounts (
    id VARCHAR(36) NOT NULL, username VARCHAR(128) NOT NULL, display_name TEXT NOT NULL,
    avatar_url TEXT NOT NULL, lang_tag VARCHAR(18) NOT NULL, location TEXT NOT NULL, timezone TEXT NOT NULL,
    metadata TEXT NOT NULL, create_time INTEGER NOT NULL, update_time INTEGER NOT NULL,
    PRIMARY KEY (id), UNIQUE (username)
);
CREATE TABLE identities (
    issuer TEXT NOT NULL, subject VARCHAR(255) NOT NULL, account_id VARCHAR(36) NOT NULL,
    create_time INTEGER NOT NULL, PRIMARY KEY (issuer, subject),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE INDEX ix_identities_account_id ON identities (account_id);
CREATE TABLE spent_tokens (
    digest VARCHAR(64) NOT NULL, use_id VARCHAR(36) NOT NULL, exp INTEGER NOT NULL, PRIMARY KEY (digest)
);
CREATE INDEX ix_spent_tokens_exp ON spent_tokens (exp);
CREATE TABLE families (
    id VARCHAR(36) NOT NULL, account_id VARCHAR(36) NOT NULL, claim_vars TEXT NOT NULL, gen INTEGER NOT NULL,
    created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL, session_exp INTEGER NOT NULL,
    absolute_exp INTEGER NOT NULL, revoked_at INTEGER, reason VARCHAR(32), PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);
CREATE INDEX ix_families_account_id ON families (account_id);
CREATE INDEX families_revoked ON families (revoked_at, session_exp);
"""
"""As those checkouts made it, word for word."""


async def columns(url: str) -> dict[str, set[str]]:
    def look(connection: Connection) -> dict[str, set[str]]:
        inspector = inspect(connection)
        return {
            table: {column["name"] for column in inspector.get_columns(table)}
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }

    async with opened(url) as engine, engine.connect() as connection:
        return await connection.run_sync(look)


async def test_it_makes_the_tables_of_the_time_before(empty_url: str) -> None:
    await migrated(empty_url, to="0001")

    assert await columns(empty_url) == UNVERSIONED


def described(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as connection:
        return {
            table: [
                *connection.execute(f"PRAGMA table_info({table})"),
                *connection.execute(f"PRAGMA index_list({table})"),
                *connection.execute(f"PRAGMA foreign_key_list({table})"),
            ]
            for table in UNVERSIONED
        }


async def test_a_file_made_by_it_is_the_same_as_one_from_before(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(BEFORE_REVISIONS)
    await migrated(f"sqlite:///{new}", to="0001")

    assert described(new) == described(old)


async def test_a_database_that_has_its_tables_keeps_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(BEFORE_REVISIONS)
        connection.execute("INSERT INTO spent_tokens VALUES ('d', 'u', 1)")
        connection.commit()
    await migrated(f"sqlite:///{file}", to="0001")

    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM spent_tokens").fetchall() == [("d", "u", 1)]
