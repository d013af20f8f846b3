"""Logins as rows: rotated, revoked, crowded out, purged."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from server.ids import RandomIds
from server.storage.families import CHUNK, MadeOf
from server.storage.revocations import SPARE_S, Ended, Revoked
from server.storage.store import Store
from tests.support.families import IDLE_S, MAX_S, NOW, SESSION_S, login, new_family
from tests.support.issuer import ALICE, BOB


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    yield store
    await store.close()


def successor(gen: int, now: int = NOW + 10) -> MadeOf:
    terms = replace(new_family("", now=now).made_of.terms, refresh_kid="newer-key")
    return MadeOf(gen, {"a": "b"}, now, terms)


async def test_a_login_is_read_as_it_was_written(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    family = await store.families.find("f1")

    assert family is not None
    assert (family.account_id, family.username, family.present_name) == (ALICE, "alice", "alice")
    assert (family.claim_vars, family.revoked, family.absolute_exp) == ({"role": "guest"}, False, NOW + MAX_S)
    assert family.made_of == new_family("f1").made_of
    assert await store.families.find("unknown") is None


async def test_of_many_rotations_at_once_one_wins_and_its_tokens_can_be_made_again(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")
    plans = [successor(1, NOW + 10 + number) for number in range(50)]

    won = await asyncio.gather(*(store.families.rotate("f1", 0, plan, username="al") for plan in plans))

    family = await store.families.find("f1")
    assert sum(won) == 1
    assert family is not None
    assert (family.made_of, family.username) == (plans[won.index(True)], "al")


@pytest.mark.parametrize(
    ("family_id", "gen", "now"),
    [("f1", 1, NOW), ("f1", -1, NOW), ("unknown", 0, NOW), ("f1", 0, NOW + MAX_S), ("over", 0, NOW)],
)
async def test_what_is_not_the_present_generation_of_a_living_login_is_not_rotated(
    store: Store, family_id: str, gen: int, now: int
) -> None:
    await login(store, ALICE, "f1")
    await login(store, ALICE, "over")
    await store.families.revoke(["over"], now=NOW, reason=Ended.LOGOUT)

    assert not await store.families.rotate(family_id, gen, successor(gen + 1, now), username="x")
    assert await store.families.rotate("f1", 0, successor(1, NOW + MAX_S - 1), username="x")


async def test_a_login_ends_once_and_the_log_tells_until_when_it_matters(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    ended = await store.families.revoke(["f1", "unknown"], now=NOW + 1, reason=Ended.LOGOUT)
    again = await store.families.revoke(["f1"], now=NOW + 2, reason=Ended.OPERATOR)

    family = await store.families.find("f1")
    assert ended == [Revoked("f1", NOW + SESSION_S, Ended.LOGOUT)]
    assert again == []
    assert family is not None
    assert family.revoked
    assert await store.revocations.after(0, now=NOW) == (ended, 1)
    assert await store.revocations.after(1, now=NOW) == ([], 1)


async def test_the_logins_made_before_a_time_end_and_no_later_ones(store: Store) -> None:
    for number in range(3):
        await login(store, ALICE, f"f{number}", now=NOW + number)
    await login(store, BOB, "other")

    ended = await store.families.revoke_account(ALICE, now=NOW + 9, reason=Ended.OPERATOR, before=NOW + 2)
    rest = await store.families.revoke_account(ALICE, now=NOW + 9, reason=Ended.OPERATOR)

    assert {item.family_id for item in ended} == {"f0", "f1"}
    assert [item.family_id for item in rest] == ["f2"]


async def test_one_login_too_many_ends_the_oldest_that_lives(store: Store) -> None:
    for number in range(3):
        await login(store, ALICE, f"f{number}", now=NOW + number)
    await store.families.revoke(["f1"], now=NOW + 5, reason=Ended.LOGOUT)
    await login(store, BOB, "other")

    made = await store.login(new_family("f3", now=NOW + 6), create=True, username=None, keep=2)
    only = await store.login(new_family("f4", now=NOW + 6), create=True, username=None, keep=1)

    assert made is not None
    assert made.ended == (Revoked("f0", NOW + SESSION_S, Ended.CROWDED_OUT),)
    assert only is not None
    assert {(item.family_id, item.reason) for item in only.ended} == {
        ("f2", Ended.REPLACED),
        ("f3", Ended.REPLACED),
    }
    logged, _ = await store.revocations.after(0, now=NOW)
    assert {item.family_id for item in logged} == {"f0", "f1", "f2", "f3"}


async def test_a_login_whose_refresh_token_is_over_takes_no_place(store: Store) -> None:
    await login(store, ALICE, "idle", now=NOW - IDLE_S)

    made = await store.login(new_family("new"), create=True, username=None, keep=1)

    assert made is not None
    assert made.ended == ()


async def test_the_ends_of_many_logins_are_asked_at_once(store: Store) -> None:
    await login(store, ALICE, "f1")
    await login(store, ALICE, "f2", now=NOW + 5)
    await login(store, ALICE, "over")
    await store.families.revoke(["over"], now=NOW, reason=Ended.LOGOUT)
    unknown = [f"unknown-{number}" for number in range(CHUNK)]

    assert await store.families.ends(["f1", *unknown, "over", "f2"]) == {
        "f1": NOW + IDLE_S,
        "f2": NOW + 5 + IDLE_S,
    }
    assert await store.families.ends([]) == {}


async def test_only_logins_none_of_whose_tokens_can_be_shown_are_purged(store: Store) -> None:
    await login(store, ALICE, "idle")
    await login(store, ALICE, "revoked", now=NOW + 100)
    await store.families.revoke(["revoked"], now=NOW + 101, reason=Ended.LOGOUT)
    gone = NOW + 100 + SESSION_S + SPARE_S

    early = await store.families.purge(gone - 1)
    revoked = await store.families.purge(gone)
    late = await store.families.purge(NOW + IDLE_S + SPARE_S)

    assert (early, revoked, late) == (0, 1, 1)
    assert await store.families.find("idle") is None


async def test_a_purge_takes_a_page_at_a_time(store: Store) -> None:
    for number in range(5):
        await login(store, ALICE, f"f{number}")

    removed = [await store.families.purge(NOW + MAX_S, limit=3) for _ in range(3)]

    assert removed == [3, 2, 0]
