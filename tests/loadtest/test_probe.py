"""The server's use of the machine, from its metrics and from the system, whatever the server does."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from loadtest.exposition import parse
from loadtest.probe import Reading, ServerProbe, of_process, use_between

METRICS = """\
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
process_cpu_seconds_total 12.5
process_resident_memory_bytes 9.4371840e+07
lockgate_sockets_open 3.0
"""
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def metrics(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=METRICS)


@asynccontextmanager
async def probe_of(
    answer: Answer, path: str = "/metrics", pid: int | None = None, under: str = "", answer_s: float = 10
) -> AsyncIterator[ServerProbe]:
    """A probe of a server that answers so at this path; its clock shows 7 seconds."""
    app = web.Application()
    app.router.add_get(path, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ops = f"http://127.0.0.1:{runner.addresses[0][1]}{under}"
    async with aiohttp.ClientSession() as http:
        yield ServerProbe(http, ops, pid, monotonic=lambda: 7.0, answer_s=answer_s)
    await runner.cleanup()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "process_cpu_seconds_total many\nprocess_resident_memory_bytes 1\n",
        "process_cpu_seconds_total 1\n",
    ],
)
async def test_other_text_tells_nothing(text: str) -> None:
    async def other(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    async with probe_of(other) as probe:
        assert await probe.read() is None


def test_a_process_is_read_from_the_system() -> None:
    reading = of_process(os.getpid())

    assert reading is not None
    assert reading.cpu_s > 0
    assert reading.rss_bytes > 2**20


def test_a_process_that_is_not_there_tells_nothing() -> None:
    assert of_process(2**30) is None


async def test_a_server_is_read_with_its_metrics() -> None:
    async with probe_of(metrics) as probe:
        reading = await probe.read()

    assert reading is not None
    assert (reading.cpu_s, reading.rss_bytes, reading.at_s) == (12.5, 90 * 2**20, 7.0)
    assert reading.exposition.gauges["lockgate_sockets_open"] == 3.0


@pytest.mark.parametrize("under", ["", "/", "/metrics"])
async def test_an_address_may_name_the_path(under: str) -> None:
    async with probe_of(metrics, under=under) as probe:
        assert await probe.read() is not None


async def test_metrics_at_the_root_are_found_and_remembered() -> None:
    asked = []

    async def root(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await metrics(request)

    async with probe_of(root, path="/") as probe:
        readings = [await probe.read(), await probe.read()]

    assert None not in readings
    assert asked == ["/", "/"]


async def test_a_process_id_counts_more_than_metrics() -> None:
    async with probe_of(metrics, pid=os.getpid()) as probe:
        reading = await probe.read()

    assert reading is not None
    assert reading.rss_bytes != 90 * 2**20
    assert reading.exposition.gauges["lockgate_sockets_open"] == 3.0


async def test_a_process_that_went_leaves_what_the_metrics_tell() -> None:
    async with probe_of(metrics, pid=2**30) as probe:
        reading = await probe.read()

    assert reading is not None
    assert reading.cpu_s == 12.5


async def test_without_metrics_a_process_is_enough() -> None:
    async with aiohttp.ClientSession() as http:
        assert await ServerProbe(http, "", os.getpid()).read() is not None
        assert await ServerProbe(http, "", None).read() is None


async def test_a_server_that_is_not_there_tells_nothing() -> None:
    async with aiohttp.ClientSession() as http:
        assert await ServerProbe(http, "http://127.0.0.1:1", None).read() is None
        assert await ServerProbe(http, "no address", None).read() is None


async def test_a_frozen_server_holds_nobody_up() -> None:
    thawed = asyncio.Event()

    async def frozen(request: web.Request) -> web.StreamResponse:
        await thawed.wait()
        return await metrics(request)

    begun = time.monotonic()
    async with probe_of(frozen, answer_s=0.05) as probe:
        reading = await probe.read()
        took = time.monotonic() - begun
        thawed.set()

    assert reading is None
    assert took < 2


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while sent < 2**28:
                await response.write(b"# \n" * 2**14)
                sent += 3 * 2**14
        except ConnectionResetError:
            pass
        return response

    async with probe_of(endless) as probe:
        assert await probe.read() is None

    assert sent < 2**26


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_an_answer_that_is_none_tells_nothing(status: int) -> None:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=METRICS, headers={"Location": "/elsewhere"})

    async with probe_of(refuse) as probe:
        assert await probe.read() is None


def test_use_is_what_was_used_between() -> None:
    before = Reading(10.0, 2**20, 100.0, parse("a_thing_total 5\n"))
    after = Reading(11.0, 2**21, 104.0, parse("a_thing_total 25\n"))

    use = use_between(before, after)

    assert (use.cpu, use.rss_bytes, use.metrics) == (0.25, 2**21, {"a_thing_per_s": 5.0})


def test_a_restarted_server_did_not_give_time_back() -> None:
    assert use_between(Reading(10.0, 1, 100.0), Reading(0.5, 1, 102.0)).cpu == 0.25


def test_two_readings_at_once_tell_no_use() -> None:
    assert use_between(Reading(1.0, 1, 5.0), Reading(2.0, 1, 5.0)).cpu == 0.0
