"""Whole runs against a site that does wrong on purpose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from loadtest.failures import SwarmError
from loadtest.options import Options, parse
from loadtest.report import Result, write
from loadtest.swarm import Swarm
from tests.support.swarm import FaultySite, faithful, serving

Serve = Callable[[FaultySite], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a site; gives its address."""
    async with AsyncExitStack() as sites:

        async def start(site: FaultySite) -> str:
            return await sites.enter_async_context(serving(site))

        yield start


def options(url: str, *more: str) -> Options:
    places = ["--url", url, "--issuer", url, "--ops", url]
    return parse([*places, "--players", "5", "--match-size", "3", "--ramp", "0", "--duration", "0.2", *more])


async def run(site: FaultySite, serve: Serve, *more: str) -> Result:
    return await Swarm(options(await serve(site), *more), say=lambda _line: None).run()


async def test_a_faithful_server_gets_a_clean_report(serve: Serve) -> None:
    site = FaultySite()

    result = await run(site, serve)

    assert result.is_good
    assert result.connected == 5
    assert result.tally.sent == 10
    assert result.tally.delivered == result.tally.expected == 3 * 2 * 2 + 2 * 2
    assert [len(histogram) for histogram in result.latencies.values()] == [5, 5, 5, 16, 16]
    assert result.after is not None


async def test_players_meet_in_matches_of_the_wanted_size(serve: Serve) -> None:
    site = FaultySite()

    await run(site, serve)

    assert (site.said["match_create"], site.said["match_join"]) == (2, 3)


async def test_a_lost_message_is_found(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.swarm.SETTLE_S", 0.1)
    site = FaultySite(lambda count, data: [] if count == 7 else [data])

    result = await run(site, serve)

    assert (result.tally.lost, result.tally.duplicated) == (1, 0)
    assert not result.is_good


async def test_a_doubled_message_is_found(serve: Serve) -> None:
    site = FaultySite(lambda count, data: [data, data] if count % 10 == 0 else [data])

    result = await run(site, serve)

    assert (result.tally.lost, result.tally.duplicated) == (0, 2)
    assert not result.is_good


async def test_messages_out_of_order_are_found(serve: Serve) -> None:
    held: dict[str, Any] = {}

    def swap(_count: int, data: dict[str, Any]) -> list[dict[str, Any]]:
        """The very first message goes out behind the second one of its sender."""
        if not held:
            held.update(data)
            return []
        if data["presence"] == held["presence"] and held.get("data") != data["data"] and "done" not in held:
            held["done"] = True
            first = {key: value for key, value in held.items() if key != "done"}
            return [data, first]
        return [data]

    result = await run(FaultySite(swap), serve, "--players", "2", "--match-size", "2")

    assert (result.tally.lost, result.tally.reordered) == (0, 1)
    assert not result.is_good


@pytest.mark.parametrize(
    "change",
    [
        {"match_id": "another."},
        {"data": "AAAA"},
        {"data": "not base64"},
        {"op_code": "2"},
        {"presence": {"user_id": "someone"}},
        {"presence": None},
    ],
)
async def test_a_message_that_is_not_what_was_sent_is_found(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.setattr("loadtest.swarm.SETTLE_S", 0.1)
    site = FaultySite(lambda count, data: [{**data, **change}] if count == 3 else [data])

    result = await run(site, serve)

    assert not result.is_good
    assert result.tally.wrong == 1 or result.dropped.total() == 1


async def test_a_message_to_the_wrong_match_is_found(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.swarm.SETTLE_S", 0.1)
    first: dict[str, Any] = {}

    def misdeliver(_count: int, data: dict[str, Any]) -> list[dict[str, Any]]:
        if not first:
            first.update(data)
        return [data, first] if data["match_id"] != first["match_id"] else [data]

    result = await run(FaultySite(misdeliver), serve)

    assert result.tally.wrong > 0
    assert result.tally.lost == 0


async def test_sockets_that_the_server_closes_are_told_with_their_reason(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.swarm.SETTLE_S", 0.1)
    site = FaultySite()
    url = await serve(site)
    half_way = asyncio.Event()

    def tell_half_way(count: int, data: dict[str, Any]) -> list[dict[str, Any]]:
        if count == 10:
            half_way.set()
        return faithful(count, data)

    async def close_half_way() -> None:
        await half_way.wait()
        await site.close_all()

    site.fault = tell_half_way

    swarm = Swarm(options(url), say=lambda _line: None)
    result, _ = await asyncio.gather(swarm.run(), close_half_way())

    assert result.dropped == {"the server closed with 4001 server restarting": 5}
    assert not result.is_good


@pytest.mark.parametrize(
    ("refuse", "told"),
    [
        ("info", "no development issuer"),
        ("sign-in", "NotAuthorizedException"),
        ("bridge", "401 Identity token invalid"),
        ("ws", "401"),
        ("match", "MATCH_NOT_FOUND"),
    ],
)
async def test_a_refusal_on_the_way_in_ends_the_run_and_tells_no_token(
    serve: Serve, refuse: str, told: str
) -> None:
    with pytest.raises(SwarmError) as failed:
        await run(FaultySite(refuse=refuse), serve)

    assert told in str(failed.value)
    assert "session-" not in str(failed.value)
    assert "jwt-of" not in str(failed.value)


async def test_idle_players_only_keep_their_hearts_beating(serve: Serve) -> None:
    site = FaultySite()

    result = await run(site, serve, "--scenario", "idle")

    assert result.is_good
    assert site.said.keys() == {"ping"}
    assert "idle, 5 of 5 players" in write(result, options("http://x.test", "--scenario", "idle"))


async def test_a_stop_ends_the_load_with_the_report_so_far(serve: Serve) -> None:
    url = await serve(FaultySite())
    lines: list[str] = []
    swarm = Swarm(options(url, "--duration", "60"), say=lines.append)

    def stop_when_playing(line: str) -> None:
        lines.append(line)
        if " s  connected 5" in line:
            swarm.stop()

    swarm._say = stop_when_playing
    async with asyncio.timeout(20):
        result = await swarm.run()

    assert result.stopped_early
    assert result.is_good
    assert result.tally.delivered > 0
    assert "p50" in lines[-1]


async def test_a_stop_before_all_are_in_reports_those_who_are(serve: Serve) -> None:
    url = await serve(FaultySite())
    swarm = Swarm(options(url, "--ramp", "1000"), say=lambda _line: None)
    running = asyncio.gather(swarm.run())

    await asyncio.sleep(0)
    swarm.stop()
    async with asyncio.timeout(20):
        (result,) = await running

    assert result.connected < 5
    assert result.tally.sent == 0


async def test_a_second_run_signs_the_same_players_in(serve: Serve) -> None:
    site = FaultySite()

    await run(site, serve)
    result = await run(site, serve)

    assert result.is_good
    assert len(site.users) == 5
