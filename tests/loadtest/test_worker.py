"""A worker's part of a run against servers that refuse, drop and put off, and with scenarios that fail."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from loadtest import crowd, player, worker
from loadtest.failures import SwarmError
from loadtest.notes import Begin, Done, Note, Ready, Share, Stop
from loadtest.own_use import OwnUseWatch
from loadtest.pacer import NS
from loadtest.plan import Plan
from loadtest.timings import Timings
from loadtest.worker import Worker
from tests.support.swarm import serving
from tests.support.swarm_worker import Played, Site, plan, play

HEAD = """
import asyncio
from loadtest.failures import SwarmError
from loadtest.scenario import Settings, scenario

@scenario
async def own(player, settings: Settings):
    "one's own"
"""


def own(tmp_path: Path, body: str) -> str:
    path = tmp_path / "own.py"
    path.write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    return str(path)


async def test_it_is_ready_tells_samples_and_is_done() -> None:
    async with serving(Site()) as url:
        played = await play(plan(url, "idle"))

    assert isinstance(played.notes[0], Ready)
    assert isinstance(played.notes[-1], Done)
    assert played.count("arrived") == 3
    assert played.errors == {}
    assert played.samples[-1].connected == 0


async def test_a_sample_is_cut_where_the_load_ends_before_anybody_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "LINGER_NS", NS)  # also where the machine is busy
    async with serving(Site()) as url:
        played = await play(plan(url, "idle", duration_s=0.9))

    at_the_end, *_, last = played.samples
    assert (at_the_end.connected, last.connected) == (3, 0)
    assert 0.9 <= at_the_end.at_s < last.at_s


async def test_what_was_timed_is_put_together_many_times_in_each_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gathered: list[str] = []
    for kind in (Timings, OwnUseWatch):
        monkeypatch.setattr(kind, "gather", lambda self: gathered.append(type(self).__name__))
    async with serving(Site()) as url:
        played = await play(plan(url, "idle", duration_s=0.9))

    assert gathered.count("Timings") == gathered.count("OwnUseWatch") > 2 * len(played.samples)


async def test_who_is_ready_has_made_all_players_and_taken_them_from_the_collector() -> None:
    frozen: list[int] = []
    before = gc.get_freeze_count()
    async with serving(Site()) as url:
        orders = asyncio.Queue[Begin | Stop]()
        orders.put_nowait(Stop())
        await Worker(
            plan(url, "idle", players=100), Share(0, 1), lambda _note: frozen.append(gc.get_freeze_count())
        ).run(orders)

    ready, _done = frozen
    assert ready > before + 100
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("code", [4001, 4503])
async def test_who_is_let_in_and_closed_at_once_is_told_why(code: int) -> None:
    async with serving(Site(close=code)) as url:
        played = await play(plan(url, "idle"))

    assert played.errors == {f"the server closed with {code} go away": 3}


@pytest.mark.parametrize("status", [401, 503])
async def test_who_is_refused_is_told_why(status: int) -> None:
    async with serving(Site(status=status, retry="3600")) as url:
        played = await play(plan(url, "idle"))

    ((text, count),) = played.errors.items()
    assert str(status) in text
    assert count == 3
    assert played.count("arrived") == 0


async def test_who_refuses_the_identity_is_told() -> None:
    site = Site()
    site.refuse = "bridge"
    async with serving(site) as url:
        played = await play(plan(url, "idle"))

    assert sum(played.errors.values()) == 3
    assert not any("jwt" in text for text in played.errors)


async def test_a_drop_is_counted_with_its_reason() -> None:
    site = Site()
    async with serving(site) as url, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(play(plan(url, "relay", duration_s=9.0, settings={"match_size": 3})))
        async with asyncio.timeout(10):
            while sum(map(len, site._rooms.values())) < 3:  # noqa: ASYNC110  # it has no event for that
                await asyncio.sleep(0.01)
        await site.close_all()
        played = await running

    assert played.count("dropped") == 3
    assert played.errors == {"the server closed with 4001 server restarting": 3}


class Answering(Site):
    """Answers each ping so many times, and none before `answers` is set."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.times = times
        self.answers = asyncio.Event()

    async def _answer(
        self, socket: web.WebSocketResponse, me: dict[str, str], envelope: dict[str, Any]
    ) -> None:
        assert envelope["ping"] == {}
        await self.answers.wait()
        self.said["ping"] += 1
        for _ in range(self.times):
            await socket.send_json({"cid": envelope["cid"], "pong": {}})


async def test_what_is_answered_only_behind_the_end_counts_with_all_its_waiting() -> None:
    site = Answering()

    def look(played: Played) -> None:
        if played.samples and played.samples[-1].at_s >= planned.duration_s:
            site.answers.set()

    async with serving(site) as url:
        planned = plan(url, "echo", settings={"rate": 500}, duration_s=1.0)
        played = await play(planned, look=look)

    waited_us = [us for us, count in played.values("echo") for _ in range(count)]
    assert len(waited_us) == site.said["ping"] > 3 * 64
    assert max(waited_us) > 0.5 * planned.duration_s * 1e6
    assert played.errors == {}
    assert played.count("unanswered") == 0


async def test_nobody_speaks_behind_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "LINGER_NS", NS // 2)
    site = Answering()
    site.answers.set()
    async with serving(site) as url:
        played = await play(plan(url, "echo", settings={"rate": 100}, heartbeat_s=0.03))

    # In 0.4 s, less what it takes to come, and not in 0.9 s.
    assert 0 < sum(count for _, count in played.values("echo")) <= 3 * 40
    assert 0 < sum(count for _, count in played.values("heartbeat")) <= 3 * 14


async def test_what_is_never_answered_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "DRAIN_NS", NS // 10)
    site = Answering(times=0)
    site.answers.set()
    async with serving(site) as url:
        played = await play(plan(url, "echo"))

    pings = site.said["ping"]
    assert pings >= 3
    assert played.errors == {"requests without a reply for 0.1 s": pings}
    assert played.count("unanswered") == pings
    assert played.values("echo") == []


async def test_what_is_answered_twice_is_an_error() -> None:
    site = Answering(times=2)
    site.answers.set()
    async with serving(site) as url:
        played = await play(plan(url, "echo"))

    # Of the very last answer to each player, the second may find nobody who listens any more.
    ((told, stray),) = played.errors.items()
    assert told == "a reply that no request waits for"
    assert site.said["ping"] - 3 <= stray <= site.said["ping"]
    assert stray > 3


async def test_a_scenario_that_stops_early_lets_its_players_go(tmp_path: Path) -> None:
    async with serving(Site()) as url:
        played = await play(plan(url, own(tmp_path, "return")))

    assert played.count("arrived") == 3
    assert played.errors == {}


async def test_a_scenario_that_finds_fault_fails_its_player_alone(tmp_path: Path) -> None:
    body = "if player.number == 1:\n    raise SwarmError('it does not fit')\nawait player.rest()"
    async with serving(Site()) as url:
        played = await play(plan(url, own(tmp_path, body)))

    assert played.errors == {"it does not fit": 1}


async def test_a_fault_found_by_one_of_several_tasks_is_a_fault_too(tmp_path: Path) -> None:
    body = (
        "async def fail():\n    raise SwarmError('it does not fit')\n"
        "async with asyncio.TaskGroup() as tasks:\n    tasks.create_task(fail())\n    await player.rest()"
    )
    async with serving(Site()) as url:
        played = await play(plan(url, own(tmp_path, body)))

    assert played.errors == {"it does not fit": 3}


async def test_a_scenario_that_is_wrong_in_itself_ends_the_run(tmp_path: Path) -> None:
    async with serving(Site()) as url:
        with pytest.raises(ExceptionGroup) as caught:
            await play(plan(url, own(tmp_path, "await player.rest(0.05)\nraise KeyError('a bug')")))

    assert caught.group_contains(KeyError)


async def test_who_cannot_leave_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LATE_S", 0.2)
    async with serving(Site()) as url:
        played = await play(plan(url, own(tmp_path, "await asyncio.Event().wait()")))

    assert played.errors == {"players could not leave in time": 1}


async def test_who_cannot_leave_is_given_up_soon_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LATE_S", 0.2)
    site = Site()
    async with serving(site) as url:
        planned = plan(url, own(tmp_path, "await asyncio.Event().wait()"), duration_s=3600.0)
        played = await play(planned, stop=site.came)

    done = played.notes[-1]
    assert isinstance(done, Done)
    assert done.stopped_early


async def test_who_is_put_off_is_not_asked_again_without_a_pause_when_stopped() -> None:
    site = Site(status=503)
    async with serving(site) as url:
        played = await play(plan(url, "idle", duration_s=3600.0), stop=site.came)

    assert site.asked <= 6
    assert sum(played.errors.values()) == 3


async def test_a_stop_while_players_arrive_leaves_the_rest_out() -> None:
    site = Site()
    async with serving(site) as url:
        played = await play(plan(url, "idle", players=50, ramp_s=3600.0), stop=site.came)

    assert played.count("arrived") <= 2
    assert played.errors == {}


async def test_a_stop_before_the_begin_is_done_at_once() -> None:
    orders, notes = asyncio.Queue[Begin | Stop](), list[Note]()
    orders.put_nowait(Stop())
    async with serving(Site()) as url:
        await Worker(plan(url, "idle"), Share(0, 1), notes.append).run(orders)

    assert [type(note) for note in notes] == [Ready, Done]


def test_a_scenario_that_is_not_there_is_told_before_anything_starts() -> None:
    with pytest.raises(SwarmError, match="chaos"):
        Worker(Plan(scenario="chaos"), Share(0, 1), lambda _note: None)
