"""Stored notifications over HTTP: one's own, page by page, until deleted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat import message_id, notification
from tests.support.issuer import ALICE, BOB
from tests.support.site import Site, bearer, open_gate, running_site


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    async with open_gate(tmp_path, url=database_url) as gate, running_site(gate) as running:
        yield running


async def call(site: Site, method: str, path: str, token: str) -> tuple[int, Any]:
    async with site.client.request(method, path, headers=bearer(token)) as response:
        return response.status, await response.json()


async def get(site: Site, query: str, token: str) -> dict[str, Any]:
    status, answer = await call(site, "GET", f"/v2/notification{query}", token)
    assert status == 200
    assert isinstance(answer, dict)
    return answer


async def both(site: Site) -> tuple[str, str]:
    hers, his = await site.login(), await site.login(sub=BOB, username="bob")
    return hers["token"], his["token"]


def ids(answer: dict[str, Any]) -> list[str]:
    return [each["id"] for each in answer.get("notifications", [])]


async def test_a_notification_is_told_without_what_is_empty(site: Site) -> None:
    hers, _ = await both(site)
    await site.gate.store.notifications.add(notification(1, code=0, subject=""), keep=9)
    await site.gate.store.notifications.add(notification(2, sender_id=BOB, code=-1), keep=9)

    answer = await get(site, "?limit=5", hers)

    common = {"content": "{}", "create_time": "2027-01-15T08:00:00Z", "persistent": True}
    assert answer["notifications"] == [
        {"id": message_id(1), **common},
        {"id": message_id(2), "subject": "news", "code": -1, "sender_id": BOB, **common},
    ]


async def test_each_call_goes_on_from_the_cursor_of_the_last(site: Site) -> None:
    hers, _ = await both(site)
    empty = await get(site, "", hers)
    for number in (1, 2, 3):
        await site.gate.store.notifications.add(notification(number), keep=9)

    first = await get(site, f"?cacheable_cursor={empty['cacheable_cursor']}", hers)
    rest = await get(site, f"?limit=100&cacheableCursor={first['cacheable_cursor']}", hers)
    nothing = await get(site, f"?cacheable_cursor={rest['cacheable_cursor']}", hers)
    await site.gate.store.notifications.add(notification(4), keep=9)
    later = await get(site, f"?cacheable_cursor={nothing['cacheable_cursor']}", hers)

    assert [ids(each) for each in (empty, first, rest, nothing, later)] == [
        [],
        [message_id(1)],
        [message_id(2), message_id(3)],
        [],
        [message_id(4)],
    ]
    assert nothing.keys() == {"cacheable_cursor"}


async def test_players_see_and_delete_their_own_alone(site: Site) -> None:
    hers, his = await both(site)
    for number, owner in ((1, ALICE), (2, ALICE), (3, BOB)):
        await site.gate.store.notifications.add(notification(number, owner), keep=9)

    query = f"?ids={message_id(1)}&ids={message_id(3)}&ids=unknown&ids=%00"
    deleted = await call(site, "DELETE", f"/v2/notification{query}", hers)

    assert deleted == (200, {})
    assert ids(await get(site, "?limit=9", hers)) == [message_id(2)]
    assert ids(await get(site, "?limit=9", his)) == [message_id(3)]


async def test_deleting_none_is_no_error(site: Site) -> None:
    hers, _ = await both(site)

    assert await call(site, "DELETE", "/v2/notification", hers) == (200, {})


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?limit=0", "Invalid limit - limit must be between 1 and 100."),
        ("?limit=101", "Invalid limit - limit must be between 1 and 100."),
        ("?cacheable_cursor=garbage", "Malformed cursor was used."),
        ("?limit=1&limit=2", 'parsing field "limit": too many values'),
        ("?cacheable_cursor=a&cacheableCursor=b", 'parsing field "cacheable_cursor": too many values'),
    ],
)
async def test_what_cannot_be_answered_is_refused(site: Site, query: str, text: str) -> None:
    hers, _ = await both(site)

    assert await call(site, "GET", f"/v2/notification{query}", hers) == (400, {"code": 3, "message": text})


async def test_a_cursor_is_for_one_player(site: Site) -> None:
    hers, his = await both(site)
    cursor = (await get(site, "", hers))["cacheable_cursor"]

    status, _ = await call(site, "GET", f"/v2/notification?cacheable_cursor={cursor}", his)

    assert status == 400


async def test_an_account_that_is_deleted_takes_its_notifications_along(site: Site) -> None:
    hers, _ = await both(site)
    await site.gate.store.notifications.add(notification(1), keep=9)

    await call(site, "DELETE", "/v2/account", hers)
    again = (await site.login())["token"]

    assert ids(await get(site, "?limit=9", again)) == []
