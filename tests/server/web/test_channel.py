"""The history of a channel over HTTP: who may read it, its pages, its errors."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.support.chat import LOBBY, message, message_id
from tests.support.families import NOW
from tests.support.issuer import ALICE, BOB
from tests.support.site import Site, bearer, open_gate, running_site

DIRECT = f"4.{BOB}.{ALICE}."


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    async with open_gate(tmp_path, url=database_url) as gate, running_site(gate) as running:
        yield running


async def get(site: Site, path: str, token: str) -> tuple[int, Any]:
    url = URL(f"http://{site.host}:{site.port}{path}", encoded=True)
    async with site.client.get(url, headers=bearer(token)) as response:
        return response.status, await response.json()


async def signed_in(site: Site, **changed: Any) -> str:
    token: str = (await site.login(**changed))["token"]
    return token


def said(answer: dict[str, Any]) -> list[str]:
    return [each["message_id"] for each in answer.get("messages", [])]


async def test_a_message_is_told_as_the_reference_tells_it(site: Site) -> None:
    token = await signed_in(site)
    await site.gate.store.messages.add(message(1, '{"a": "é"}'))

    status, answer = await get(site, f"/v2/channel/{LOBBY}", token)

    assert status == 200
    assert answer["messages"] == [
        {
            "channel_id": LOBBY,
            "message_id": message_id(1),
            "code": 0,
            "sender_id": ALICE,
            "username": "alice",
            "content": '{"a": "é"}',
            "create_time": "2027-01-15T08:00:00Z",
            "update_time": "2027-01-15T08:00:00Z",
            "persistent": True,
            "room_name": "lobby",
        }
    ]
    assert answer.keys() == {"messages", "cacheable_cursor"}
    assert NOW == 1_800_000_000


async def test_an_empty_history_is_an_empty_object(site: Site) -> None:
    token = await signed_in(site)

    for channel_id in (LOBBY, "2...%00", "2...%F0%9F%98%80"):
        assert await get(site, f"/v2/channel/{channel_id}?limit=100&forward=false&cursor=", token) == (
            200,
            {},
        )


@pytest.mark.parametrize("room", ["a/b", "a b", "{a}", "100%", "?x=1#y", "..", "é😀", "%2e%2e", "a;b+c&d"])
async def test_a_room_may_have_any_name(site: Site, room: str) -> None:
    token = await signed_in(site)
    await site.gate.store.messages.add(message(1, channel_id=f"2...{room}"))

    _, answer = await get(site, f"/v2/channel/{quote(f'2...{room}', safe='')}", token)

    assert said(answer) == [message_id(1)]
    assert answer["messages"][0]["room_name"] == room


async def test_pages_go_to_and_fro_in_either_direction(site: Site) -> None:
    token = await signed_in(site)
    for number in range(1, 6):
        await site.gate.store.messages.add(message(number))

    for forward, order in ((True, (1, 2, 3, 4, 5)), (False, (5, 4, 3, 2, 1))):
        path = f"/v2/channel/{LOBBY}?limit=2&forward={str(forward).lower()}"
        _, first = await get(site, path, token)
        _, second = await get(site, f"{path}&cursor={first['next_cursor']}", token)
        _, third = await get(site, f"{path}&cursor={second['next_cursor']}", token)
        _, back = await get(site, f"{path}&cursor={third['prev_cursor']}", token)

        pages = [said(page) for page in (first, second, third, back)]
        wanted = [message_id(number) for number in order]
        assert pages == [wanted[:2], wanted[2:4], wanted[4:], wanted[2:4]]
        assert "prev_cursor" not in first
        assert "next_cursor" not in third


async def test_the_cacheable_cursor_brings_what_has_come_since(site: Site) -> None:
    token = await signed_in(site)
    for number in (1, 2):
        await site.gate.store.messages.add(message(number))
    path = f"/v2/channel/{LOBBY}?limit=2"
    _, newest = await get(site, f"{path}&forward=false", token)
    cursor = newest["cacheable_cursor"]

    nothing = await get(site, f"{path}&cursor={cursor}", token)
    await site.gate.store.messages.add(message(3))
    _, later = await get(site, f"{path}&cursor={cursor}", token)

    assert nothing == (200, {"cacheable_cursor": cursor})
    assert said(later) == [message_id(3)]


async def test_direct_messages_are_read_by_the_two_alone(site: Site) -> None:
    hers, his = await signed_in(site), await signed_in(site, sub=BOB, username="bob")
    carol = await signed_in(site, sub="carol", username="carol")
    await site.gate.store.messages.add(message(1, channel_id=DIRECT))

    for token in (hers, his):
        _, answer = await get(site, f"/v2/channel/{DIRECT}", token)
        assert said(answer) == [message_id(1)]
        assert (answer["messages"][0]["user_id_one"], answer["messages"][0]["user_id_two"]) == (BOB, ALICE)
    assert await get(site, f"/v2/channel/{DIRECT}", carol) == (
        400,
        {"code": 3, "message": "Invalid channel ID."},
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v2/channel/garbage", "Invalid channel ID."),
        (f"/v2/channel/3.{ALICE}..", "Group not found."),
        (f"/v2/channel/{LOBBY}?limit=0", "Invalid limit - limit must be between 1 and 100."),
        (f"/v2/channel/{LOBBY}?limit=101", "Invalid limit - limit must be between 1 and 100."),
        (
            f"/v2/channel/{LOBBY}?limit=x",
            'parsing field "limit": strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (f"/v2/channel/{LOBBY}?cursor=garbage", "Cursor is invalid or expired."),
        (
            f"/v2/channel/{LOBBY}?forward=maybe",
            'parsing field "forward": strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
    ],
)
async def test_what_cannot_be_answered_is_refused(site: Site, path: str, text: str) -> None:
    assert await get(site, path, await signed_in(site)) == (400, {"code": 3, "message": text})


async def test_a_cursor_is_for_one_channel_and_one_direction(site: Site) -> None:
    token = await signed_in(site)
    for number in (1, 2):
        await site.gate.store.messages.add(message(number))
    _, page = await get(site, f"/v2/channel/{LOBBY}", token)
    cursor = page["next_cursor"]

    for path in (
        f"/v2/channel/2...other?cursor={cursor}",
        f"/v2/channel/{LOBBY}?forward=false&cursor={cursor}",
    ):
        assert await get(site, path, token) == (400, {"code": 3, "message": "Cursor is invalid or expired."})


async def test_a_stranger_reads_nothing(site: Site) -> None:
    async with site.client.get(f"/v2/channel/{LOBBY}") as response:
        assert (response.status, (await response.json())["message"]) == (401, "Auth token required")


@pytest.mark.parametrize("seed", range(4))
async def test_pages_in_any_mix_give_every_message_once_while_others_write(site: Site, seed: int) -> None:
    """Readers of either direction wander about in a room in which people speak."""
    draw = random.Random(seed)
    token, messages = await signed_in(site), site.gate.store.messages
    sent: list[str] = []
    readers = [Reader(site, token, forward) for forward in (True, False, True)]
    for number in range(12):
        await messages.add(message(number))
        sent.append(message_id(number))

    for turn in range(25):
        speaking = [message(100 + 10 * turn + number) for number in range(draw.randint(0, 2))]
        pages = [reader.turn(draw.random() < 0.6, draw.randint(1, 4)) for reader in readers]
        # The room goes on while a page is read; what is being said then may be on it or not.
        await asyncio.gather(*pages, *(messages.add(each) for each in speaking))
        found = await messages.page(LOBBY, 0, 1000, newer=True)
        history = [each.message.id for each in found]
        assert history[: len(sent)] == sent
        sent = history
        for reader in readers:
            reader.check(sent)

    for reader in readers:
        while await reader.turn(True, 7):
            pass
        reader.check(sent)
        assert reader.ends_with(sent)


class Reader:
    """Goes through a history page by page, and holds the last page with the one it came from."""

    def __init__(self, site: Site, token: str, forward: bool) -> None:
        self._site = site
        self._token = token
        self._forward = forward
        self._page: dict[str, Any] = {}
        self._held: list[str] = []

    async def turn(self, go_on: bool, limit: int) -> bool:
        """Read the next page, or the one before. False: there is none."""
        cursor = self._page.get("next_cursor" if go_on else "prev_cursor", "")
        if self._page and not cursor:
            return False
        query = f"?limit={limit}&forward={self._forward}&cursor={cursor}"
        status, page = await get(self._site, f"/v2/channel/{LOBBY}{query}", self._token)
        assert status == 200
        listed, before = said(page), said(self._page)
        self._held = [*before, *listed] if go_on else [*listed, *before]
        self._page = page
        return bool(listed)

    def check(self, history: list[str]) -> None:
        """Neighbouring pages join without a gap and without a repetition."""
        listed = history if self._forward else history[::-1]
        if self._held:
            start = listed.index(self._held[0])
            assert listed[start : start + len(self._held)] == self._held

    def ends_with(self, history: list[str]) -> bool:
        """Whether it is at the end of the list, in its own direction."""
        return self._held[-1] == (history[-1] if self._forward else history[0])
