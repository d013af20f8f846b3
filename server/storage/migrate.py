"""Brings a database to the schema of this release, at start: all missing revisions, in one transaction.

Processes that start at once take turns, and the second finds nothing left to do. What cannot be brought there
is left untouched: a schema newer than this release, tables that no release made, a step that fails.
"""

import asyncio
import sqlite3
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.backup import back_up
from server.storage.failures import text_of
from server.storage.revision import one_at_a_time

LOCATION = "server.storage:migrations"
TURN = 0x6C6F636B67617465
"""Names the turn in which processes migrate a PostgreSQL database."""
TURN_TIMEOUT_S = 600
UNVERSIONED = {
    "accounts": {
        *("id", "username", "display_name", "avatar_url", "lang_tag", "location", "timezone", "metadata"),
        *("create_time", "update_time"),
    },
    "identities": {"issuer", "subject", "account_id", "create_time"},
    "spent_tokens": {"digest", "use_id", "exp"},
    "families": {
        *("id", "account_id", "claim_vars", "gen", "created_at", "last_used_at", "session_exp"),
        *("absolute_exp", "revoked_at", "reason"),
    },
}
"""The columns of revision 0001, in which a database may be without saying so."""

log = structlog.get_logger("lockgate.storage")


async def migrate(engine: AsyncEngine, file: Path | None = None, *, to: str | None = None) -> None:
    """Bring the database to the newest revision, or the one called `to`; a SQLite `file` is copied before.

    On SQLite the engine must begin with `BEGIN IMMEDIATE` and not enforce foreign keys. Raises ValueError
    when that cannot be, and what the database raises when it cannot be reached.
    """
    scripts = ScriptDirectory.from_config(_config())
    target = to or scripts.get_current_head()
    assert target is not None, "there are revisions"
    # Alembic keeps the migration that runs in globals.
    async with one_at_a_time(), engine.begin() as connection:
        await _take_turn(connection)
        found = await connection.run_sync(_revision)
        if found == target:
            return
        if found not in {None, *(script.revision for script in scripts.walk_revisions())}:
            raise ValueError(
                f"the schema is of revision {found}, newer than this release, which knows up to {target}"
            )
        if file is not None and await connection.run_sync(_has_tables):
            await _copy(file, target)
        try:
            await connection.run_sync(_upgrade, target)
        except DBAPIError as error:
            raise ValueError(
                f"the schema cannot be brought to revision {target}: {text_of(error)}"
            ) from error
    log.info("schema_migrated", found=found, revision=target)


async def _take_turn(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_TIMEOUT_S}s'"))
        await connection.execute(select(func.pg_advisory_xact_lock(TURN)))


async def _copy(file: Path, target: str) -> None:
    try:
        copy = await asyncio.to_thread(back_up, file, target)
    except (OSError, sqlite3.Error) as error:
        raise ValueError(f"the database cannot be copied before its migration: {error}") from error
    log.info("database_copied", path=str(copy))


def _revision(connection: Connection) -> str | None:
    """The revision that the database says it has; None before the first. Raises ValueError for odd tables."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        inspector = inspect(connection)
        for table in UNVERSIONED.keys() & set(inspector.get_table_names()):
            if {column["name"] for column in inspector.get_columns(table)} != UNVERSIONED[table]:
                raise ValueError(f"the table {table} is not one that a release made")
    return revision


def _has_tables(connection: Connection) -> bool:
    return bool(inspect(connection).get_table_names())


def _upgrade(connection: Connection, target: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)
    if connection.dialect.name == "sqlite" and (
        broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    ):
        raise ValueError(f"revision {target} leaves rows of {broken[0]} that refer to nothing")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", LOCATION)
    return config
