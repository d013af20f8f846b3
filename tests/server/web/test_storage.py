"""Stored objects over HTTP: a player's own, and what others let them read."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.runtime.objects import Refusal
from tests.support.families import NOW
from tests.support.issuer import ALICE, BOB
from tests.support.objects import object_id, to_write
from tests.support.site import Site, bearer, open_gate, running_site

NIL = "00000000-0000-0000-0000-000000000000"
NOT_DELETED = "Storage delete rejected - not found, version check failed, or permission denied."
VERSION = "Storage write rejected - version check failed."
UNSET = "Invalid collection or key value supplied. They must be set."


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    async with open_gate(tmp_path, url=database_url) as gate, running_site(gate) as running:
        yield running


async def call(site: Site, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, str | None) else json.dumps(body)
    async with site.client.request(method, path, headers=bearer(token), data=data) as response:
        return response.status, await response.json()


async def both(site: Site) -> tuple[str, str]:
    hers, his = await site.login(), await site.login(sub=BOB, username="bob")
    return hers["token"], his["token"]


def wish(key: str, value: str = "{}", **fields: Any) -> dict[str, Any]:
    return {"collection": "saves", "key": key, "value": value, **fields}


def named(key: str, user_id: str = ALICE, **fields: Any) -> dict[str, Any]:
    return {"collection": "saves", "key": key, "user_id": user_id, **fields}


async def put(site: Site, token: str, *objects: dict[str, Any]) -> list[dict[str, Any]]:
    status, answer = await call(site, "PUT", "/v2/storage", token, {"objects": objects})
    assert status == 200, answer
    acks: list[dict[str, Any]] = answer["acks"]
    return acks


async def read(site: Site, token: str, *ids: dict[str, Any]) -> list[dict[str, Any]]:
    status, answer = await call(site, "POST", "/v2/storage", token, {"object_ids": ids})
    assert status == 200, answer
    found: list[dict[str, Any]] = answer.get("objects", [])
    return found


async def listed(site: Site, token: str, path: str) -> list[str]:
    status, answer = await call(site, "GET", f"/v2/storage/{path}", token)
    assert status == 200, answer
    return [each["key"] for each in answer.get("objects", [])]


def refused(message: str, code: int = 3) -> tuple[int, dict[str, Any]]:
    return 400, {"code": code, "message": message}


async def test_an_object_is_read_as_it_was_written(site: Site) -> None:
    hers, _ = await both(site)
    value = '{ "name": "Zoë", "level": 3 }'
    version = hashlib.md5(value.encode()).hexdigest()
    at = "2027-01-15T08:00:00Z"

    acks = await put(site, hers, wish("slot1", value))

    common = {"collection": "saves", "key": "slot1", "user_id": ALICE, "version": version}
    times = {"create_time": at, "update_time": at}
    assert acks == [common | times]
    permissions = {"permission_read": 1, "permission_write": 1}
    assert await read(site, hers, named("slot1")) == [common | times | permissions | {"value": value}]


async def test_nothing_asked_is_nothing_answered(site: Site) -> None:
    hers, _ = await both(site)

    for method, path in (("PUT", ""), ("POST", ""), ("DELETE", ""), ("PUT", "/delete")):
        for body in ("", "{}", '{"objects":null,"object_ids":[]}'):
            assert await call(site, method, f"/v2/storage{path}", hers, body) == (200, {})
    assert await call(site, "GET", "/v2/storage/saves", hers) == (200, {})


async def test_only_a_player_may_call(site: Site) -> None:
    for method, path in (
        ("PUT", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("PUT", "/delete"),
        ("GET", "/saves"),
        ("GET", f"/saves/{ALICE}"),
    ):
        async with site.client.request(method, f"/v2/storage{path}") as response:
            assert response.status == 401


async def test_both_spellings_of_permissions_and_zeros_are_read(site: Site) -> None:
    hers, _ = await both(site)

    await put(
        site,
        hers,
        wish("a", permission_read=2, permission_write="0"),
        wish("b", permissionRead=1.0, permissionWrite=None),
        wish("c", permission_read=0),
    )

    found = await read(site, hers, *(named(key) for key in "abc"))
    assert [(each.get("permission_read", 0), each.get("permission_write", 0)) for each in found] == [
        (2, 0),
        (1, 1),
    ]


@pytest.mark.parametrize(
    ("wished", "message"),
    [
        (wish(""), UNSET),
        (wish("a", ""), UNSET),
        ({"key": "a", "value": "{}"}, UNSET),
        (wish("a", permission_read=3), "Invalid Read permission supplied. It must be either 0, 1 or 2."),
        (wish("a", permission_read=-1), "Invalid Read permission supplied. It must be either 0, 1 or 2."),
        (wish("a", permission_write=2), "Invalid Write permission supplied. It must be either 0 or 1."),
        (wish("a", "[]"), "Value must be a JSON object."),
        (wish("a", "7"), "Value must be a JSON object."),
        (wish("a", "null"), "Value must be a JSON object."),
        (wish("a", '{"a":'), "Value must be a JSON object."),
        (wish("a", '{"a":NaN}'), "Value must be a JSON object."),
        (wish("a", '{"a":1,"a":2}'), "Value must be a JSON object."),
        (wish("a", '{"a":' * 70 + "1" + "}" * 70), "Value must be a JSON object."),
        (wish("a", '{"a":"' + "x" * 16_384 + '"}'), "Value too large, must be at most 16384 bytes."),
        (wish("a", version="x"), VERSION),
    ],
)
async def test_a_write_that_cannot_be_is_refused_as_a_whole(
    site: Site, wished: dict[str, Any], message: str
) -> None:
    hers, _ = await both(site)

    answer = await call(site, "PUT", "/v2/storage", hers, {"objects": [wish("fine"), wished]})

    assert answer == refused(message)
    assert await read(site, hers, named("fine"), named("a")) == []
    assert sum(site.gate.store.objects.refused.values()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"objects": {}},
        {"objects": ["x"]},
        {"objects": [wish("a", permission_read=True)]},
        {"objects": [wish("a", permission_read=1.5)]},
        {"objects": [wish("a", permission_read="one")]},
        {"objects": [wish("a", permission_read=2**31)]},
        {"objects": [wish("a", permission_read=[1])]},
        {"objects": [{"collection": "saves", "key": "a", "value": {}}]},
        {"objects": [wish("a", version=1)]},
        "[]",
    ],
)
async def test_a_body_of_another_shape_is_an_invalid_argument(site: Site, body: Any) -> None:
    hers, _ = await both(site)

    status, answer = await call(site, "PUT", "/v2/storage", hers, body)

    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith("proto: ")


async def test_versions_guard_writes_and_deletions(site: Site) -> None:
    hers, _ = await both(site)
    [first] = await put(site, hers, wish("slot", '{"a":1}', version="*"))
    again = await call(site, "PUT", "/v2/storage", hers, {"objects": [wish("slot", version="*")]})
    [second] = await put(site, hers, wish("slot", '{"a":2}', version=first["version"]))
    late = {"objects": [wish("other"), wish("slot", '{"a":3}', version=first["version"])]}
    stale = await call(site, "PUT", "/v2/storage", hers, late)
    kept = {"object_ids": [named("slot", version=first["version"])]}
    not_deleted = await call(site, "PUT", "/v2/storage/delete", hers, kept)
    gone = {"object_ids": [named("slot", version=second["version"])]}
    deleted = await call(site, "PUT", "/v2/storage/delete", hers, gone)

    assert [again, stale, not_deleted] == [refused(VERSION), refused(VERSION), refused(NOT_DELETED)]
    assert deleted == (200, {})
    assert await read(site, hers, named("slot"), named("other")) == []


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v2/storage/delete"), ("DELETE", "/v2/storage")])
async def test_players_delete_their_own_alone(site: Site, method: str, path: str) -> None:
    hers, his = await both(site)
    await put(site, hers, wish("slot"))
    await put(site, hers, wish("locked", permission_write=0))

    as_his = await call(site, method, path, his, {"object_ids": [named("slot", ALICE)]})
    locked = await call(site, method, path, hers, {"object_ids": [named("slot"), named("locked")]})
    kept = await listed(site, hers, f"saves/{ALICE}?limit=9")
    own = await call(site, method, path, hers, {"object_ids": [{"collection": "saves", "key": "slot"}]})

    assert [as_his, locked] == [refused(NOT_DELETED)] * 2
    assert kept == ["locked", "slot"]
    assert own == (200, {})
    assert await listed(site, hers, f"saves/{ALICE}?limit=9") == ["locked"]


async def test_players_write_as_themselves_whatever_owner_they_name(site: Site) -> None:
    hers, his = await both(site)

    await put(site, his, wish("slot", user_id=ALICE))

    assert await read(site, hers, named("slot")) == []
    assert [each["user_id"] for each in await read(site, his, named("slot", BOB))] == [BOB]


async def test_what_is_closed_to_clients_is_not_written(site: Site) -> None:
    hers, _ = await both(site)
    await put(site, hers, wish("slot", permission_write=0))

    answer = await call(site, "PUT", "/v2/storage", hers, {"objects": [wish("slot", '{"a":1}')]})

    assert answer == refused("Storage write rejected - permission denied.")
    assert site.gate.store.objects.refused[Refusal.PERMISSION] == 1


async def test_others_read_what_is_public(site: Site) -> None:
    hers, his = await both(site)
    await put(site, hers, *(wish(f"read{n}", permission_read=n) for n in range(3)))
    every = [named(f"read{n}") for n in range(3)]

    assert [each["key"] for each in await read(site, hers, *every)] == ["read1", "read2"]
    assert [each["key"] for each in await read(site, his, *every)] == ["read2"]


@pytest.mark.parametrize("owner", ["", NIL, "{00000000000000000000000000000000}"])
async def test_the_servers_objects_are_read_if_public_and_never_written(site: Site, owner: str) -> None:
    hers, _ = await both(site)
    writes = [to_write(f"read{n}", n, user_id="", permission_read=n) for n in range(3)]
    await site.gate.store.objects.write(writes, now=NOW)

    found = await read(site, hers, *(named(f"read{n}", owner) for n in range(3)))
    gone = await call(site, "DELETE", "/v2/storage", hers, {"object_ids": [named("read2", owner)]})
    await put(site, hers, wish("read2", '{"mine":1}', user_id=owner))

    assert [(each["key"], each["user_id"]) for each in found] == [("read2", NIL)]
    assert gone == refused(NOT_DELETED)
    [kept] = await site.gate.store.objects.read([object_id("read2", "")])
    assert kept.value == {"level": 2}


async def test_ids_of_users_are_read_in_every_form_of_a_uuid(site: Site) -> None:
    hers, _ = await both(site)
    await put(site, hers, wish("slot"))

    assert len(await read(site, hers, named("slot", ALICE.upper()))) == 1
    for bad in ("alice", ALICE + "0"):
        answer = await call(site, "POST", "/v2/storage", hers, {"object_ids": [named("slot", bad)]})
        assert answer == refused("Invalid user ID - make sure user ID is a valid UUID.")


async def test_listings_are_of_one_player_or_of_all(site: Site) -> None:
    hers, his = await both(site)
    await put(site, hers, *(wish(f"hers{n}", permission_read=n) for n in range(3)))
    await put(site, his, *(wish(f"his{n}", permission_read=n) for n in range(3)))
    await site.gate.store.objects.write([to_write("ours", user_id="", permission_read=2)], now=NOW)

    assert await listed(site, hers, f"saves/{ALICE}?limit=9") == ["hers1", "hers2"]
    assert await listed(site, hers, f"saves?user_id={ALICE}&limit=9") == ["hers1", "hers2"]
    assert await listed(site, hers, f"saves?userId={BOB}&limit=9") == ["his2"]
    assert await listed(site, hers, "saves?limit=9") == ["hers2", "his2", "ours"]
    assert await listed(site, hers, "saves?user_id=&cursor=&limit=9") == ["hers2", "his2", "ours"]
    assert await listed(site, hers, f"saves/{NIL}?limit=9") == ["ours"]
    assert await listed(site, hers, "other?limit=9") == []


async def test_a_listing_goes_on_by_its_cursor(site: Site) -> None:
    hers, his = await both(site)
    await put(site, hers, *(wish(key, permission_read=2) for key in "cab"))

    _, first = await call(site, "GET", f"/v2/storage/saves/{ALICE}?limit=2", hers)
    _, rest = await call(site, "GET", f"/v2/storage/saves/{ALICE}?limit=2&cursor={first['cursor']}", hers)
    _, one = await call(site, "GET", "/v2/storage/saves", his)

    assert [each["key"] for each in first["objects"]] == ["a", "b"]
    assert [each["key"] for each in rest["objects"]] == ["c"]
    assert "cursor" not in rest
    assert [each["key"] for each in one["objects"]] == ["a"]


async def test_a_cursor_opens_no_other_listing(site: Site) -> None:
    hers, his = await both(site)
    await put(site, hers, wish("a"), wish("b"))
    _, page = await call(site, "GET", f"/v2/storage/saves/{ALICE}", hers)

    for path in ("saves", "other", f"saves/{BOB}", f"other/{ALICE}"):
        answer = await call(site, "GET", f"/v2/storage/{path}?cursor={page['cursor']}", hers)
        assert answer == refused("Malformed cursor was used.")
    assert await listed(site, his, f"saves/{ALICE}?cursor={page['cursor']}") == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("saves?limit=0", "Invalid limit - limit must be between 1 and 100."),
        ("saves?limit=101", "Invalid limit - limit must be between 1 and 100."),
        ("saves?cursor=garbage", "Malformed cursor was used."),
        ("saves?user_id=alice", "Invalid user ID - make sure user ID is a valid UUID."),
        ("saves/alice", "Invalid user ID - make sure user ID is a valid UUID."),
        ("saves?limit=1&limit=2", 'parsing field "limit": too many values'),
        ("a%00b", "Invalid collection or key value supplied. They must be text of at most 128 bytes."),
    ],
)
async def test_a_listing_that_cannot_be_is_refused(site: Site, path: str, message: str) -> None:
    hers, _ = await both(site)

    assert await call(site, "GET", f"/v2/storage/{path}", hers) == refused(message)


async def test_a_collection_may_have_any_name(site: Site) -> None:
    hers, _ = await both(site)
    await put(site, hers, wish("k") | {"collection": "a/b ✓{x}"})

    assert await listed(site, hers, f"a%2Fb%20%E2%9C%93%7Bx%7D/{ALICE}") == ["k"]
    assert await listed(site, hers, f"a%2Fb%20%E2%9C%93%7Bx%7D?user_id={ALICE}") == ["k"]


async def test_a_player_whose_room_is_used_up_is_told(site: Site) -> None:
    hers, _ = await both(site)
    for start in range(0, 1000, 100):
        await put(site, hers, *(wish(f"k{n}") for n in range(start, start + 100)))

    answer = await call(site, "PUT", "/v2/storage", hers, {"objects": [wish("one too many")]})
    crowd = {"objects": [wish(f"k{n}") for n in range(101)]}

    assert answer == refused("Storage write rejected - at most 1000 objects for one owner.", code=9)
    assert await call(site, "PUT", "/v2/storage", hers, crowd) == refused(
        "Too many objects at once, must be at most 100."
    )


async def test_an_account_that_is_deleted_takes_its_objects_along(site: Site) -> None:
    hers, _ = await both(site)
    await put(site, hers, wish("slot"))

    await call(site, "DELETE", "/v2/account", hers)
    again = (await site.login())["token"]

    assert await listed(site, again, f"saves/{ALICE}?limit=9") == []
