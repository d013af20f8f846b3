"""A whole run with fake workers: what is watched, what comes out, and how it ends early."""

import asyncio
from typing import Any

import aiohttp
import pytest

from loadtest.exposition import Exposition
from loadtest.failures import SwarmError
from loadtest.hand import Patience
from loadtest.plan import Plan
from loadtest.probe import Reading
from loadtest.result import Interval, Result
from loadtest.run import Means, run
from tests.support.fake_worker import COMMAND


class Watched:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.intervals: list[Interval] = []
        self.ended = 0
        self.playing = asyncio.Event()
        self.shown = asyncio.Event()

    def phase(self, text: str) -> None:
        self.phases.append(text)
        if text == "playing":
            self.playing.set()

    def interval(self, interval: Interval) -> None:
        self.intervals.append(interval)
        self.shown.set()

    def end(self) -> None:
        self.ended += 1


class Probed:
    """A server that uses half a core, by its own clock a second at each reading."""

    def __init__(self, _http: aiohttp.ClientSession, _plan: Plan) -> None:
        self._readings = 0

    async def read(self) -> Reading | None:
        self._readings += 1
        told = Exposition(version="3.30.0")
        return Reading(self._readings / 2, 1000 + self._readings, float(self._readings), told)


MEANS = Means(command=COMMAND, probe=Probed)


def plan(**more: Any) -> Plan:
    act = {name: more.pop(name) for name in ("act", "who") if name in more}
    members = {"workers": 2, "ramp_s": 1, "warm_up_s": 0, "duration_s": 2, "settings": act, **more}
    return Plan(**members)


async def play(plan: Plan, watched: Watched, means: Means = MEANS) -> Result:
    async with asyncio.timeout(60):
        return await run(plan, watched, asyncio.Event(), means)


async def test_a_run_makes_a_result() -> None:
    watched = Watched()

    result = await play(plan(agent_secret="hidden"), watched)

    assert (result.counts, result.connected, result.verdict) == ({"sent": 60}, 10, "passed")
    assert result.timings["echo"].response.count == 12
    assert [(each.at_s, each.for_s, each.counts["sent"]) for each in result.intervals] == [
        (second, 1, 20) for second in range(3)
    ]
    assert (result.truth.sent, result.truth.lost) == (20, 0)
    assert result.honesty.cpu == pytest.approx(0.25)
    assert result.marks[0].text == "the ramp is over"
    assert "workers may use" in result.facts["processors"]
    assert result.machine.versions["server"] == "3.30.0"
    assert result.begun.endswith("Z")
    assert result.machine.cpus > 0
    assert "agent_secret" not in result.plan


async def test_a_threshold_that_does_not_hold_fails_the_run() -> None:
    result = await play(plan(thresholds=["echo_p99<1ms", "lost==0"]), Watched())

    assert [outcome.held for outcome in result.thresholds] == [False, True]
    assert result.verdict == "failed"


@pytest.mark.parametrize("asked", [{"thresholds": ["nonsense"]}, {"allow": ["nonsense"]}])
async def test_what_cannot_be_judged_is_told_before_anybody_plays(asked: dict[str, Any]) -> None:
    watched = Watched()

    with pytest.raises(SwarmError, match="nonsense"):
        await play(plan(**asked), watched)

    assert (watched.phases, watched.ended) == ([], 1)


async def test_the_watcher_sees_what_goes_on() -> None:
    watched = Watched()

    result = await play(plan(players=7), watched)

    assert watched.phases[:3] == ["starting the workers", "preparing 7 players", "playing"]
    assert watched.intervals == result.intervals
    assert watched.ended == 1


async def test_while_players_play_seconds_are_shown_with_the_servers_use() -> None:
    watched, stop = Watched(), asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run(plan(act="wait"), watched, stop, MEANS))
        await watched.shown.wait()
        stop.set()

    assert watched.phases[3:] == ["the ramp is over", "stopping: players leave"]
    result = running.result()
    assert result.stopped_early
    assert result.intervals[0].server is not None
    assert result.intervals[0].server.cpu == pytest.approx(0.5)
    assert result.server_rss_bytes is not None


async def test_a_stop_before_the_players_came_makes_no_result() -> None:
    watched, stop = Watched(), asyncio.Event()
    stop.set()

    with pytest.raises(SwarmError, match="stopped before the players came"):
        await run(plan(), watched, stop, MEANS)

    assert watched.ended == 1
    assert "playing" not in watched.phases


async def test_players_that_do_not_leave_are_not_waited_for_without_end() -> None:
    watched, stop = Watched(), asyncio.Event()
    means = Means(command=COMMAND, probe=Probed, leave_s=0.1, patience=Patience(leave_s=0.1, terminate_s=1))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stop_when_playing(watched, stop))
        with pytest.raises(SwarmError, match=r"had not left 0\.1 seconds after the stop"):
            await run(plan(act="mute"), watched, stop, means)


async def stop_when_playing(watched: Watched, stop: asyncio.Event) -> None:
    await watched.playing.wait()
    stop.set()


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("refuse", "worker 2: the server is not there"),
        ("fail", "worker 2: the server refuses"),
        ("die", "worker 2 ended with status 7"),
    ],
)
async def test_without_a_worker_there_is_no_result(act: str, told: str) -> None:
    watched = Watched()

    with pytest.raises(SwarmError, match=told):
        await play(plan(act=act, who=1), watched)

    assert watched.ended == 1


async def test_a_server_that_tells_nothing_is_no_hindrance() -> None:
    class Nothing(Probed):
        async def read(self) -> Reading | None:
            return None

    result = await play(plan(), Watched(), Means(command=COMMAND, probe=Nothing))

    assert (result.server_cpu, result.server_rss_bytes) == (None, None)


async def test_an_abort_leaves_nothing_open() -> None:
    watched = Watched()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run(plan(act="mute"), watched, asyncio.Event(), MEANS))
        await watched.playing.wait()
        running.cancel()

    assert running.cancelled()
    assert watched.ended == 1
