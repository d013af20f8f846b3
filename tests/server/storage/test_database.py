"""What is promised of a database whatever is kept in it."""

import asyncio
from pathlib import Path

from server.ids import RandomIds
from server.storage.revocations import Ended
from server.storage.store import Store, User, derived_id
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, ISSUER


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    first = Store(RandomIds("test"))
    await first.open(url)
    await login(first, ALICE, "f1", "alice")
    await first.families.revoke_account(ALICE, now=NOW, reason=Ended.LOGOUT_ALL)
    second = Store(RandomIds("test"))
    await second.open(url)

    ended, _ = await second.revocations.after(0, now=NOW)
    assert [item.family_id for item in ended] == ["f1"]
    assert await second.find_users([ALICE], []) == [User(ALICE, "alice")]
    await first.close()
    await second.close()


async def test_many_writers_in_two_processes_never_find_the_database_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    stores = [Store(RandomIds("test")) for _ in range(2)]
    for store in stores:
        await store.open(url)

    await asyncio.gather(
        *(login(stores[index % 2], f"player-{index}", f"f{index}", "same name") for index in range(200))
    )

    names = await stores[0].find_users([derived_id(ISSUER, f"player-{index}") for index in range(200)], [])
    assert len({user.username for user in names}) == 200
    for store in stores:
        await store.close()
