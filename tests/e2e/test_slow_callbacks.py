"""What a running server tells of the message, route or task that holds it up."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from protocol.messages import StatusUpdate, UserPresence
from server.effects import Effects
from server.observe.log_rate import LogRate
from server.world import World
from tests.support.inprocess import Live, running, until

Log = list[Any]


def stall() -> None:
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass


@pytest.fixture
def logged() -> Iterator[Log]:
    with capture_logs() as log:
        yield log


def tell_all(live: Live) -> None:
    """Tell of every stall: a busy machine has others, and one line a second is all there would be."""
    live.server.health.slow._rate = LogRate(0)


async def blocked(logged: Log) -> dict[str, Any]:
    """The line that names what held the loop up."""
    await until(lambda: any(each.get("function") == "stall" for each in logged))
    found: dict[str, Any] = next(each for each in logged if each.get("function") == "stall")
    return found


async def test_a_message_is_named_with_its_session(tmp_path: Path, logged: Log) -> None:
    def slow(_world: World, _me: UserPresence, _message: Any) -> Effects:
        stall()
        return []

    async with running(tmp_path) as live:
        tell_all(live)
        router: Any = live.server.performer._router
        router._table = {**router._table, StatusUpdate: slow}
        socket = await live.connect("ada")
        socket.say(status_update={"status": "hello"})
        told = await blocked(logged)
        (session,) = live.server._registry.by_id
        await socket.hang_up()

    assert (told["message"], told["session_id"]) == ("StatusUpdate", session)
    assert told["function"] == "stall"
    assert "test_slow_callbacks.py:" in told["at"]
    assert told["took_ms"] >= 100


async def test_a_route_is_named_and_not_what_was_asked_of_it(tmp_path: Path, logged: Log) -> None:
    async with running(tmp_path) as live:
        tell_all(live)
        token = (await live.sign_in("ada"))["token"]
        tokens: Any = live.server._gate.tokens
        check = tokens.check_session

        def slow(shown: str) -> Any:
            stall()
            return check(shown)

        tokens.check_session = slow
        await live.ask("GET", "/v2/account?secret=1", f"Bearer {token}")
        told = await blocked(logged)

    assert (told["method"], told["route"]) == ("GET", "/v2/account")
    assert "secret" not in str(told)


async def test_a_task_is_named_when_it_is_neither(tmp_path: Path, logged: Log) -> None:
    async def busy() -> None:
        await asyncio.sleep(0.05)
        stall()

    async with running(tmp_path) as live:
        tell_all(live)
        await live.server._tasks.spawn("busy", busy())
        told = await blocked(logged)

    assert told["task"] == "server.busy"
