"""One match at a time, over the wire: the setting reaches whoever joins."""

from pathlib import Path

import pytest

from tests.support.inprocess import running
from tests.support.rawsocket import RawSocket


async def create(socket: RawSocket, name: str) -> str:
    socket.say(cid="1", match_create={"name": name})
    match = (await socket.hear())["match"]
    assert list(await socket.hear()) == ["match_presence_event"]
    return str(match["match_id"])


@pytest.mark.parametrize("single_match", [True, False])
async def test_whoever_joins_another_match_leaves_the_one_before(tmp_path: Path, single_match: bool) -> None:
    async with running(tmp_path, session={"single_match": single_match}) as live:
        ada, bob, carol = [await live.connect(name) for name in ("ada", "bob", "carol")]
        first, second = await create(ada, "first"), await create(bob, "second")
        carol.say(cid="2", match_join={"match_id": first})
        own = (await carol.hear())["match"]["self"]
        assert (await ada.hear())["match_presence_event"]["joins"] == [own]

        carol.say(cid="3", match_join={"match_id": second})
        assert (await bob.hear())["match_presence_event"]["joins"] == [own]
        ada.say(cid="4", ping={})

        left = {"match_presence_event": {"match_id": first, "leaves": [own]}}
        assert await ada.hear() == (left if single_match else {"cid": "4", "pong": {}})
        for socket in (ada, bob, carol):
            await socket.hang_up()
