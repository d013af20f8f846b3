"""Parties over the wire: the settings that bound them, and sockets that end or are taken over."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket


@asynccontextmanager
async def playing(live: Live, *users: str) -> AsyncIterator[list[RawSocket]]:
    """The sockets of these players."""
    async with AsyncExitStack() as stack:
        sockets = [await live.connect(user) for user in users]
        for socket in sockets:
            stack.push_async_callback(socket.hang_up)
        yield sockets


async def create(socket: RawSocket, **shown: Any) -> str:
    """Open a party. Returns its id when its leader has seen it."""
    socket.say(cid="1", party_create={"open": True, "max_size": 8, **shown})
    answer = await socket.hear()
    assert list(await socket.hear()) == ["party"]
    assert list(await socket.hear()) == ["party_presence_event"]
    return str(answer["party"]["party_id"])


async def join(socket: RawSocket, party_id: str) -> dict[str, Any]:
    """Enter an open party. Returns the joiner's own presence."""
    socket.say(cid="1", party_join={"party_id": party_id})
    assert await socket.hear() == {"cid": "1"}
    own: dict[str, Any] = (await socket.hear())["party"]["self"]
    assert (await socket.hear())["party_presence_event"]["joins"] == [own]
    return own


async def refused(socket: RawSocket, **message: Any) -> str:
    socket.say(cid="9", **message)
    error = (await socket.hear())["error"]
    assert error["code"] == 3
    return str(error["message"])


async def test_a_socket_is_in_so_many_parties_and_no_more(tmp_path: Path) -> None:
    async with (
        running(tmp_path, socket={"parties_per_session": 1}) as live,
        playing(live, "ada", "bob") as (ada, bob),
    ):
        first = await create(ada)
        await create(bob)

        told = [
            await refused(ada, party_create={"max_size": 2}),
            await refused(bob, party_join={"party_id": first}),
        ]

    assert told == [
        "Error creating party: in too many parties",
        "Error joining party: in too many parties",
    ]


async def test_with_single_party_whoever_enters_another_leaves_the_one_before(tmp_path: Path) -> None:
    async with (
        running(tmp_path, session={"single_party": True}) as live,
        playing(live, "ada", "bob") as (ada, bob),
    ):
        first = await create(ada)
        own = await join(bob, first)
        assert (await ada.hear())["party_presence_event"]["joins"] == [own]

        second = await create(bob)

        assert second != first
        assert await ada.hear() == {"party_presence_event": {"party_id": first, "leaves": [own]}}


async def test_a_leader_whose_socket_is_taken_over_hands_the_party_on(tmp_path: Path) -> None:
    async with running(tmp_path) as live, playing(live, "ada", "bob") as (older, bob):
        party_id = await create(older)
        own = await join(bob, party_id)

        async with playing(live, "ada") as (newer,):
            newcomer = await join(newer, party_id)

        leader = {"party_leader": {"party_id": party_id, "presence": own}}
        assert await bob.hear() == leader
        assert list((await bob.hear())["party_presence_event"]) == ["party_id", "leaves"]
        assert (await bob.hear())["party_presence_event"]["joins"] == [newcomer]


async def test_a_request_goes_with_its_socket(tmp_path: Path) -> None:
    async with running(tmp_path) as live, playing(live, "ada", "bob") as (ada, bob):
        party_id = await create(ada, open=False)
        bob.say(cid="1", party_join={"party_id": party_id})
        assert await bob.hear() == {"cid": "1"}
        (asking,) = (await ada.hear())["party_join_request"]["presences"]
        bob.close(1000)
        await bob.ending()

        told = await refused(ada, party_accept={"party_id": party_id, "presence": asking})
        ada.say(cid="2", party_join_request_list={"party_id": party_id})

        assert told == "Error accepting party join request: party join request not found"
        assert await ada.hear() == {"cid": "2", "party_join_request": {"party_id": party_id}}
        assert len(live.server._registry) == 1


async def test_parties_are_found_over_http_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as live, playing(live, "ada") as (ada,):
        party_id = await create(ada, label='{"mode":"ranked"}')
        bearer = f"Bearer {(await live.sign_in('bob'))['token']}"

        found = await live.ask("GET", "/v2/party?query=%2Blabel.mode:ranked", bearer)
        ada.say(cid="2", party_update={"party_id": party_id, "open": True, "hidden": True})
        assert await ada.hear() == {"cid": "2"}
        hidden = await live.ask("GET", "/v2/party", bearer)

    shown = {"party_id": party_id, "open": True, "max_size": 8, "label": '{"mode":"ranked"}'}
    assert (found, hidden) == ((200, {"parties": [shown]}), (200, {}))


async def test_a_party_is_matched_as_a_whole_and_meets_others_in_a_match(tmp_path: Path) -> None:
    async with running(tmp_path) as live, playing(live, "ada", "bob", "cyd") as (ada, bob, cyd):
        party_id = await create(ada)
        member = await join(bob, party_id)
        assert (await ada.hear())["party_presence_event"]["joins"] == [member]
        ada.say(cid="2", party_matchmaker_add={"party_id": party_id, "min_count": 3, "max_count": 3})
        ticket = await ada.hear()
        assert await bob.hear() == {"party_matchmaker_ticket": ticket["party_matchmaker_ticket"]}
        cyd.say(cid="1", matchmaker_add={"min_count": 3, "max_count": 3})
        alone = (await cyd.hear())["matchmaker_ticket"]["ticket"]

        await live.server.matchmaking.round()

        told = [(await socket.hear())["matchmaker_matched"] for socket in (ada, bob, cyd)]
        together = ticket["party_matchmaker_ticket"]["ticket"]
        assert [each["ticket"] for each in told] == [together, together, alone]
        assert len({each["token"] for each in told}) == 1
        assert [each["self"].get("party_id") for each in told] == [party_id, party_id, None]
        parties = sorted(user.get("party_id", "") for user in told[0]["users"])
        assert parties == ["", party_id, party_id]
        cyd.say(cid="2", match_join={"token": told[2]["token"]})
        assert (await cyd.hear())["match"]["self"]["username"] == "cyd"


async def test_a_member_who_goes_takes_the_partys_search_along(tmp_path: Path) -> None:
    async with running(tmp_path) as live, playing(live, "ada") as (ada,):
        party_id = await create(ada)
        async with playing(live, "bob") as (bob,):
            await join(bob, party_id)
            ada.say(cid="2", party_matchmaker_add={"party_id": party_id, "min_count": 3, "max_count": 3})
            assert list((await bob.hear())["party_matchmaker_ticket"]) == ["party_id", "ticket"]
            bob.close(1000)
            await bob.ending()

        heard = await ada.heard_until_pong("3")

    assert [list(message)[-1] for message in heard] == [
        "party_presence_event",
        "party_matchmaker_ticket",
        "party_presence_event",
    ]
    assert len(live.server.matchmaking._matchmaker) == 0
