"""Listing parties over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from protocol.messages import PartyCreate
from server.core.party_room import Room
from server.effects import Stream
from server.web.parties import party_json
from tests.support.parties import ID, NODE, NOW, Bench
from tests.support.players import ALICE, NEW_ID
from tests.support.site import Site, bearer, open_gate, running_site


@pytest.fixture
def bench() -> Bench:
    return Bench(per_session=10_000)


@pytest.fixture
async def listing_site(tmp_path: Path, bench: Bench) -> AsyncIterator[Site]:
    async with open_gate(tmp_path) as gate, running_site(gate, parties=bench.parties) as site:
        yield site


def create(bench: Bench, number: int, **shown: Any) -> str:
    party_id = f"{NEW_ID[:-4]}{number:04x}"
    bench.parties.create(ALICE, PartyCreate(**shown), party_id, NOW)
    return f"{party_id}.{NODE}"


async def get(site: Site, query: str = "") -> tuple[int, Any]:
    session = await site.login()
    async with site.client.get(f"/v2/party{query}", headers=bearer(session["token"])) as response:
        return response.status, await response.json()


def test_empty_fields_are_left_out() -> None:
    room = Room(ID, 0, NOW, 0, Stream(7, NEW_ID, label=NODE), ALICE)

    assert party_json(room) == {"party_id": ID, "label": "{}"}


async def test_nobody_lists_without_a_session(listing_site: Site) -> None:
    async with listing_site.client.get("/v2/party") as response:
        assert response.status == 401


async def test_without_parties_the_answer_is_empty(listing_site: Site) -> None:
    assert await get(listing_site) == (200, {})


async def test_parties_are_shown_with_their_label_and_hidden_ones_are_not(
    listing_site: Site, bench: Bench
) -> None:
    first = create(bench, 1, open=True, max_size=4, label='{"mode":"ranked"}')
    create(bench, 2, max_size=4, hidden=True)
    third = create(bench, 3, max_size=2)

    assert await get(listing_site) == (
        200,
        {
            "parties": [
                {"party_id": third, "max_size": 2, "label": "{}"},
                {"party_id": first, "open": True, "max_size": 4, "label": '{"mode":"ranked"}'},
            ]
        },
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?open=true", [1]),
        ("?open=0", [2]),
        ("?query=%2Blabel.mode:ranked", [1]),
        ("?query=%2Blabel.mode:casual&open=true", []),
        ("?query=*&limit=1", [2]),
        ("?query=", [2, 1]),
    ],
)
async def test_the_query_chooses(listing_site: Site, bench: Bench, query: str, found: list[int]) -> None:
    made = {
        1: create(bench, 1, open=True, label='{"mode":"ranked"}'),
        2: create(bench, 2, label='{"mode":"casual"}'),
    }

    _, answer = await get(listing_site, query)

    assert [party["party_id"] for party in answer.get("parties", [])] == [made[number] for number in found]


async def test_pages_follow_one_another_by_cursor(listing_site: Site, bench: Bench) -> None:
    made = [create(bench, number) for number in range(25)]

    shown: list[str] = []
    cursor = ""
    for size in (10, 10, 5):
        _, answer = await get(listing_site, f"?cursor={cursor}")
        assert len(answer["parties"]) == size
        shown += [party["party_id"] for party in answer["parties"]]
        cursor = answer.get("cursor", "")

    assert shown == made[::-1]
    assert cursor == ""


async def test_a_listing_of_many_looks_at_all_of_them(listing_site: Site, bench: Bench) -> None:
    first = create(bench, 0, label='{"mode":"rare"}')
    for number in range(1, 1200):
        create(bench, number)

    _, answer = await get(listing_site, "?query=label.mode:rare")

    assert [party["party_id"] for party in answer["parties"]] == [first]


@pytest.mark.parametrize(
    ("query", "status", "code", "message"),
    [
        ("?limit=0", 400, 3, "Invalid limit - limit must be between 1 and 100."),
        ("?limit=101", 400, 3, "Invalid limit - limit must be between 1 and 100."),
        (
            "?limit=abc",
            400,
            3,
            'parsing field "limit": strconv.ParseInt: parsing "abc": invalid syntax',
        ),
        (
            "?open=maybe",
            400,
            3,
            'parsing field "open": strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        ("?query=a&query=b", 400, 3, 'parsing field "query": too many values'),
        ("?query=%2B", 500, 13, "Error listing matches."),
        ("?cursor=garbage", 500, 13, "Error listing matches."),
    ],
)
async def test_a_bad_question_is_refused(
    listing_site: Site, query: str, status: int, code: int, message: str
) -> None:
    assert await get(listing_site, query) == (status, {"code": code, "message": message})
