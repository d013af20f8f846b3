"""Players as others read them."""

from typing import Any

import pytest

from tests.support.issuer import ALICE, BOB
from tests.support.site import Site, bearer

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def ask(site: Site, query: str) -> tuple[int, Any]:
    session = await site.login()
    await site.login(sub=BOB, username="bob")
    async with site.client.get(f"/v2/user?{query}", headers=bearer(session["token"])) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (f"ids={ALICE}", ["alice"]),
        (f"ids={ALICE}&ids={BOB}&", ["alice", "bob"]),
        (f"ids={BOB}&usernames=alice&usernames=bob", ["alice", "bob"]),
        (f"ids={ALICE.replace('-', '').upper()}", ["alice"]),
        (f"ids={UNKNOWN}&usernames=bob&usernames=nobody", ["bob"]),
        ("usernames=bob&usernames=%00", ["bob"]),
    ],
)
async def test_players_are_found_by_id_and_by_name(site: Site, query: str, names: list[str]) -> None:
    status, answer = await ask(site, query)

    assert status == 200
    assert sorted(user["username"] for user in answer["users"]) == names


@pytest.mark.parametrize("query", ["", "ids=" + UNKNOWN, "usernames=nobody", "facebook_ids=1", "usernames="])
async def test_nobody_is_an_empty_answer(site: Site, query: str) -> None:
    assert await ask(site, query) == (200, {})


@pytest.mark.parametrize("bad", ["x", "", f"{ALICE}0", "%00", "a" * 300])
async def test_an_id_that_is_none_is_refused(site: Site, bad: str) -> None:
    status, answer = await ask(site, f"ids={ALICE}&ids={bad}")

    shown = {"%00": "\0"}.get(bad, bad)[:64]
    assert (status, answer) == (400, {"code": 3, "message": f"ID '{shown}' is not a valid system ID."})


async def test_others_see_the_profile_and_nothing_of_the_identity(site: Site) -> None:
    site.online.add(BOB)

    _, answer = await ask(site, "usernames=bob")

    (bob,) = answer["users"]
    assert bob.pop("create_time") == bob.pop("update_time")
    assert bob == {"id": BOB, "username": "bob", "lang_tag": "en", "metadata": "{}", "online": True}


async def test_a_stranger_is_told_nothing(site: Site) -> None:
    async with site.client.get("/v2/user?usernames=alice") as response:
        assert (response.status, (await response.json())["code"]) == (401, 16)
