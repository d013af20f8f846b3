"""Finding matches over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.core.match import Matches
from server.core.presence import Presences
from tests.support.live_matches import GameMatches
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.site import Site, bearer, open_gate, running_site

RELAYED = f"{NEW_ID}."
LABEL = '{"skill":50}'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    game = GameMatches()
    game.start("one.n", LABEL)
    game.start("two.n", tick_rate=0)
    game.sizes["one.n"] = 3
    relayed = Matches(Presences(), 10)
    relayed.create(ALICE, "", NEW_ID)
    relayed.join(BOB, RELAYED)
    async with (
        open_gate(tmp_path) as gate,
        running_site(gate, live_matches=game, relayed=relayed) as running,
    ):
        yield running


async def ask(site: Site, query: str) -> tuple[int, Any]:
    token = (await site.login())["token"]
    async with site.client.get(f"/v2/match?{query}", headers=bearer(token)) as response:
        return response.status, await response.json()


async def test_a_match_is_listed_with_what_its_kind_has(site: Site) -> None:
    one = {"match_id": "one.n", "authoritative": True, "label": LABEL, "size": 3, "tick_rate": 10}
    two = {"match_id": "two.n", "authoritative": True, "label": ""}

    assert await ask(site, "") == (
        200,
        {
            "matches": [
                two | {"handler_name": "arena"},
                one | {"handler_name": "arena"},
                {"match_id": RELAYED, "size": 2},
            ]
        },
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=1", ["two.n"]),
        ("limit=3&", ["two.n", "one.n", RELAYED]),
        ("authoritative=true", ["two.n", "one.n"]),
        ("authoritative=F", [RELAYED]),
        ("min_size=1", ["one.n", RELAYED]),
        ("minSize=2&maxSize=2", [RELAYED]),
        ("max_size=0&min_size=0", ["two.n"]),
        ("label=", ["two.n"]),
        ("label=%7B%22skill%22%3A50%7D", ["one.n"]),
        ("label=nothing", []),
        ("query=", ["two.n", "one.n"]),
        ("query=%2Blabel.skill:%3E%3D50&label=", ["one.n"]),
        ("query=%2Blabel.skill:%3E50", []),
        ("query=*&min_size=4", []),
        ("authoritative=true&label=&query=*&limit=1", ["two.n"]),
    ],
)
async def test_a_listing_finds_what_is_asked_for(site: Site, query: str, found: list[str]) -> None:
    status, answer = await ask(site, query)

    assert status == 200
    assert [match["match_id"] for match in answer.get("matches", [])] == found
    assert bool(found) or answer == {}


LIMIT = "Invalid limit - limit must be between 1 and 100."
ORDER = "Maximum size must be greater than or equal to minimum size when both are specified."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", LIMIT),
        ("limit=101", LIMIT),
        ("limit=-1", LIMIT),
        ("label=&authoritative=false", "Label filtering is not supported for non-authoritative matches."),
        ("query=&authoritative=false", "Query filtering is not supported for non-authoritative matches."),
        ("min_size=-1", "Minimum size must be 0 or above."),
        ("max_size=-1", "Maximum size must be 0 or above."),
        ("min_size=2&max_size=1", ORDER),
        ("limit=0&min_size=-1", LIMIT),
        ("min_size=x", 'parsing field "min_size": strconv.ParseInt: parsing "x": invalid syntax'),
        ("authoritative=", 'parsing field "authoritative": strconv.ParseBool: parsing "": invalid syntax'),
        ("limit=1&limit=1", 'parsing field "limit": too many values'),
    ],
)
async def test_a_question_that_is_wrong_is_refused(site: Site, query: str, message: str) -> None:
    assert await ask(site, query) == (400, {"code": 3, "message": message})


async def test_a_bad_query_is_refused_as_the_reference_does(site: Site) -> None:
    assert await ask(site, "query=%22open") == (500, {"code": 13, "message": "Error listing matches."})


async def test_a_stranger_is_told_nothing(site: Site) -> None:
    async with site.client.get("/v2/match") as response:
        assert response.status == 401
