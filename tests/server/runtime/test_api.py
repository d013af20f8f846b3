"""`server` stands for the server that runs the code."""

import asyncio
from typing import Any, cast

import pytest

from server.runtime.api import GameServer, server, serving


class Named:
    """A server that knows its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def signal(self, match_id: str, data: str = "") -> str:
        return f"{self._name}: {match_id}"


def named(name: str) -> GameServer:
    return cast(GameServer, Named(name))


def test_outside_of_a_server_it_says_what_it_is_for() -> None:
    with pytest.raises(RuntimeError, match="remote calls, hooks"):
        _ = server.signal


async def test_each_task_has_its_own_server() -> None:
    inside = asyncio.Barrier(2)

    async def ask(name: str) -> Any:
        with serving(named(name)):
            await inside.wait()
            return await server.signal("m")

    one, two = await asyncio.gather(ask("one"), ask("two"))

    assert (one, two) == ("one: m", "two: m")
    with pytest.raises(RuntimeError):
        _ = server.signal


async def test_a_server_within_a_server_is_the_inner_one() -> None:
    with serving(named("outer")):
        with serving(named("inner")):
            assert await server.signal("m") == "inner: m"
        assert await server.signal("m") == "outer: m"
