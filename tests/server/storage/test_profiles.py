"""Profiles, in each database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.profiles import CHUNK, Profile, Updated
from server.storage.store import Store
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, BOB

LATER = NOW + 60


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    await login(store, ALICE, "f1", "alice")
    await login(store, BOB, "f2", "bob")
    yield store
    await store.close()


async def test_profiles_are_found_by_id_and_by_name_each_once(store: Store) -> None:
    unknown = [f"unknown-{index}" for index in range(CHUNK + 1)]

    found = await store.profiles.find([*unknown, ALICE, "\0"], ["bob", "alice", "BOB", "a\0"])

    assert Profile(ALICE, "alice", "", "", "en", "", "", "{}", NOW, NOW) in found
    assert {profile.id for profile in found} == {ALICE, BOB}
    assert len(found) == 2
    assert await store.profiles.find([], []) == []


async def test_a_change_touches_what_it_names_and_nothing_else(store: Store) -> None:
    before = await store.account(ALICE)

    made = await store.profiles.update(ALICE, {"display_name": "Ä l", "lang_tag": ""}, now=LATER)

    (alice,), (bob,) = [await store.profiles.find([player], []) for player in (ALICE, BOB)]
    assert before is not None
    assert made is Updated.MADE
    assert alice == Profile(ALICE, "alice", "Ä l", "", "", "", "", "{}", NOW, LATER)
    assert bob.update_time == NOW


async def test_a_name_that_another_player_has_changes_nothing(store: Store) -> None:
    taken = await store.profiles.update(ALICE, {"username": "bob", "location": "x"}, now=LATER)

    (alice,) = await store.profiles.find([ALICE], [])
    assert taken is Updated.NAME_TAKEN
    assert (alice.username, alice.location, alice.update_time) == ("alice", "", NOW)


async def test_ones_own_name_may_be_set_again(store: Store) -> None:
    assert await store.profiles.update(ALICE, {"username": "alice"}, now=LATER) is Updated.MADE


async def test_a_name_that_was_given_up_is_free(store: Store) -> None:
    await store.profiles.update(BOB, {"username": "robert"}, now=LATER)

    assert await store.profiles.update(ALICE, {"username": "bob"}, now=LATER) is Updated.MADE


async def test_of_many_who_want_a_name_at_once_one_gets_it(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(
            store.profiles.update(player, {"username": "king"}, now=LATER)
            for player in (ALICE, BOB, ALICE, BOB)
        )
    )

    winners = await store.profiles.find([], ["king"])
    assert len(winners) == 1
    assert outcomes.count(Updated.MADE) == outcomes.count(Updated.NAME_TAKEN) == 2


async def test_an_account_that_is_gone_cannot_be_changed(store: Store) -> None:
    await store.delete(ALICE, now=LATER)

    assert await store.profiles.update(ALICE, {"location": "x"}, now=LATER) is Updated.NO_ACCOUNT
