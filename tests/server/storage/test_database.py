"""What is promised of a database whatever is kept in it."""

import asyncio
from pathlib import Path

from server.ids import RandomIds
from server.storage.families import NewFamily
from server.storage.store import Store, User, derived_id
from tests.support.issuer import ALICE, ISSUER

NOW = 1_800_000_000


async def login(store: Store, subject: str, family_id: str, username: str | None = None) -> None:
    family = NewFamily(family_id, {"role": "guest"}, NOW, NOW + 7200, NOW + 90 * 86400)
    await store.login(ISSUER, subject, family, create=True, username=username)


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    first = Store(RandomIds("test"))
    await first.open(url)
    await login(first, ALICE, "f1", "alice")
    await first.families.revoke_account(ALICE, now=NOW, reason="logout_all")
    second = Store(RandomIds("test"))
    await second.open(url)

    assert [item.family_id for item in await second.families.revoked(NOW)] == ["f1"]
    assert await second.families.revoked(NOW + 7200) == []
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
