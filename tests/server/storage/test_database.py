"""What is promised of a database whatever is kept in it."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from server.ids import RandomIds
from server.storage.database import ATTEMPTS, Database
from server.storage.dialects import take_turn
from server.storage.engine import Work
from server.storage.failures import Reason, StorageUnavailable
from server.storage.revocations import Ended
from server.storage.store import Store, User, derived_id
from server.tasks import TaskOwner
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, ISSUER
from tests.support.postgres import PASSWORD, Postgres


async def test_what_was_written_is_there_after_a_restart(database_url: str) -> None:
    first = Store(RandomIds("test"))
    await first.open(database_url)
    await login(first, ALICE, "f1", "alice")
    await first.families.revoke_account(ALICE, now=NOW, reason=Ended.LOGOUT_ALL)
    second = Store(RandomIds("test"))
    await second.open(database_url)

    ended, _ = await second.revocations.after(0, now=NOW)
    assert [item.family_id for item in ended] == ["f1"]
    assert await second.find_users([ALICE], []) == [User(ALICE, "alice")]
    await first.close()
    await second.close()


async def test_many_writers_in_two_processes_never_find_the_database_locked(database_url: str) -> None:
    stores = [Store(RandomIds("test")) for _ in range(2)]
    for store in stores:
        await store.open(database_url)

    await asyncio.gather(
        *(login(stores[index % 2], f"player-{index}", f"f{index}", "same name") for index in range(200))
    )

    names = await stores[0].find_users([derived_id(ISSUER, f"player-{index}") for index in range(200)], [])
    assert len({user.username for user in names}) == 200
    for store in stores:
        await store.close()


async def answer(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT 42"))).scalar_one())


async def refused(operation: Awaitable[object]) -> Reason:
    """Why the database could not do it."""
    with pytest.raises(StorageUnavailable) as failure:
        await operation
    return failure.value.reason


async def read(database: Database) -> int:
    async with database.read() as connection:
        return await answer(connection)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(waiting_limit=3)
    await database.open(database_url, pool_size=2, timeout_s=0.5)
    yield database
    await database.close()


async def test_more_that_wait_than_may_are_refused_at_once(database: Database) -> None:
    go_on = asyncio.Event()

    async def slow(connection: AsyncConnection) -> int:
        await go_on.wait()
        return await answer(connection)

    owner = TaskOwner("test")
    waiting = [owner.spawn("write", database.write(slow)) for _ in range(3)]
    await asyncio.sleep(0)  # they begin

    assert database.waiting == 3
    assert await refused(database.write(answer)) is Reason.CROWDED
    assert await refused(read(database)) is Reason.CROWDED
    go_on.set()
    assert await asyncio.gather(*waiting) == [42] * 3
    assert await read(database) == 42
    assert (database.waiting, database.failures[Reason.CROWDED]) == (0, 2)


async def test_writes_and_commits_are_counted(database: Database) -> None:
    async def fail(_connection: AsyncConnection) -> None:
        raise ValueError("ours")

    await asyncio.gather(*(database.write(answer) for _ in range(3)))
    with pytest.raises(ValueError, match="ours"):
        await database.write(fail)

    assert database.writes == 3
    assert 1 <= database.commits <= 3
    assert database.failures.total() == 0


async def test_a_failure_is_logged_once_until_it_works_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_connection: AsyncConnection) -> int:
        raise ConnectionResetError("secret")

    with capture_logs() as events:
        for work in (broken, broken, answer, answer, broken):
            with contextlib.suppress(StorageUnavailable):
                await database.write(work)

    assert [event["event"] for event in events] == ["storage_failed", "storage_recovered", "storage_failed"]
    assert events[0] == {
        "event": "storage_failed",
        "log_level": "error",
        "operation": "write",
        "reason": "unreachable",
    }
    assert database.failures[Reason.UNREACHABLE] == 3


async def test_a_file_that_another_holds_is_given_up_in_time(tmp_path: Path) -> None:
    database = Database()
    await database.open(f"sqlite:///{tmp_path / 'lockgate.db'}", timeout_s=0.05)
    with contextlib.closing(sqlite3.connect(tmp_path / "lockgate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await refused(database.write(answer)) is Reason.BUSY
        assert await read(database) == 42
        other.execute("ROLLBACK")

    assert await database.write(answer) == 42
    await database.close()


async def test_a_full_disk_turns_writers_away_until_there_is_room(tmp_path: Path) -> None:
    database = Database()
    await database.open(f"sqlite:///{tmp_path / 'lockgate.db'}")

    async def limit(connection: AsyncConnection, pages: int) -> None:
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    async def grow(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE large AS SELECT zeroblob(1000000) AS data")

    await database.write(lambda connection: limit(connection, 1))  # no more than there are
    assert await refused(database.write(grow)) is Reason.FULL
    await database.write(lambda connection: limit(connection, 100_000))
    await database.write(grow)
    await database.close()


async def test_a_deadlock_is_resolved_by_doing_one_again(postgres: Postgres) -> None:
    with_deadlock = Database()
    # A sync fixture would make it; here the template itself would be in use.
    await postgres.execute("CREATE DATABASE deadlock TEMPLATE migrated")
    await with_deadlock.open(postgres.url("deadlock"))
    both = asyncio.Barrier(2)
    tries = 0

    def crossing(first: str, second: str) -> Work[None]:
        first_try = True

        async def work(connection: AsyncConnection) -> None:
            nonlocal first_try, tries
            tries += 1
            await take_turn(connection, first)
            if first_try:
                first_try = False
                await both.wait()
            await take_turn(connection, second)

        return work

    await asyncio.gather(with_deadlock.write(crossing("a", "b")), with_deadlock.write(crossing("b", "a")))

    assert (tries, with_deadlock.repeated, with_deadlock.commits) == (3, 1, 2)
    await with_deadlock.close()
    await postgres.execute("DROP DATABASE deadlock")


async def test_a_deadlock_without_end_is_given_up(database: Database) -> None:
    tries = 0

    class Deadlock(Exception):
        sqlstate = "40P01"

    async def work(_connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        raise DBAPIError("", None, Deadlock())

    assert await refused(database.write(work)) is Reason.BUSY
    assert tries == (1 if database.repeated == 0 else ATTEMPTS)


async def test_a_server_that_does_not_answer_is_given_up_in_time(postgres: Postgres) -> None:
    database = Database()
    await database.open(postgres.url("postgres"), pool_size=1, timeout_s=0.5)

    async def sleep(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_sleep(60)"))

    owner = TaskOwner("test")
    async with asyncio.timeout(10):
        slow = owner.spawn("slow", refused(database.write(sleep)))
        await asyncio.sleep(0)  # it takes the only connection
        assert await refused(read(database)) is Reason.TIMEOUT
        assert await slow is Reason.TIMEOUT
        assert await read(database) == 42
    await database.close()


async def test_a_server_that_comes_back_is_used_again(own_postgres: Postgres) -> None:
    database = Database()
    await database.open(own_postgres.url("migrated"), timeout_s=2)
    with capture_logs() as events:
        assert await database.write(answer) == 42
        await asyncio.to_thread(own_postgres.stop, signal.SIGQUIT)
        assert await refused(database.write(answer)) is Reason.UNREACHABLE
        assert await refused(read(database)) is Reason.UNREACHABLE
        await asyncio.to_thread(own_postgres.start)
        assert await read(database) == 42
        assert await database.write(answer) == 42
    await database.close()

    assert PASSWORD not in str(events)
    assert [event["event"] for event in events] == ["storage_failed"] * 2 + ["storage_recovered"] * 2


async def test_a_server_that_hangs_is_given_up_and_used_again(own_postgres: Postgres) -> None:
    database = Database()
    await database.open(own_postgres.url("migrated"), pool_size=2, timeout_s=0.5)
    assert await database.write(answer) == 42
    pids = own_postgres.children()
    for pid in (own_postgres.pid, *pids):
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            reasons = await asyncio.gather(*(refused(database.write(answer)) for _ in range(4)))
    finally:
        for pid in (own_postgres.pid, *pids):
            os.kill(pid, signal.SIGCONT)

    assert set(reasons) == {Reason.TIMEOUT}
    assert await database.write(answer) == 42
    await database.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda server: server.url("nowhere"), "nowhere"),
        (lambda server: server.url("postgres", password="guessed"), "password authentication failed"),
        (lambda server: "postgresql://lockgate:guessed@127.0.0.1:1/d", "127.0.0.1:1/d"),
        (lambda server: "postgresql://lockgate:guessed@h/d?options=-c", "options"),
    ],
)
async def test_a_server_that_cannot_be_opened_is_told_without_the_password(
    postgres: Postgres, wrong: Callable[[Postgres], str], told: str
) -> None:
    database = Database()
    with pytest.raises(ValueError, match=r"^storage\.url") as refusal:
        await database.open(wrong(postgres), timeout_s=5)

    assert told in str(refusal.value)
    assert not any(secret in str(refusal.value) for secret in (PASSWORD, "guessed"))


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "lockgate.db").write_bytes(b"no database" * 1000)

    with pytest.raises(ValueError, match=r"lockgate\.db: file is not a database"):
        await Database().open(f"sqlite:///{tmp_path / 'lockgate.db'}")


async def test_a_new_file_and_what_is_beside_it_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    store = Store(RandomIds("test"))
    await store.open(f"sqlite:///{tmp_path / 'lockgate.db'}")
    await login(store, ALICE, "f1")

    found = modes(tmp_path)

    await store.close()
    assert found == {"lockgate.db": 0o600, "lockgate.db-wal": 0o600, "lockgate.db-shm": 0o600}


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
