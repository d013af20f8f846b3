"""Every scenario that the swarm brings along plays against a fresh server, and does what it is for."""

import asyncio
import os
import shlex
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from loadtest.result import Result
from loadtest.scenario import built_in
from loadtest.verdict import why
from tests.support.running import RunningServer, running_server
from tests.support.swarm_runs import free_port, played

EXAMPLES = Path(__file__).parents[2] / "examples"
OF_THEIR_OWN = {"deploy-drill", "flooders", "half-open", "resume", "slow-readers", "token-expiry"}
"""Those that want a server with certain settings, or one that is restarted."""
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "arena": ("deliver", {"match_size": 4, "rate": 5}),
    "chat": ("deliver", {"room_size": 6, "rate": 2}),
    "echo": ("echo", {}),
    "idle": ("heartbeat", {}),
    "malformed": ("deliver", {"match_size": 4, "rest_s": 0.2}),
    "matchmaking": ("matchmaking", {"rate": 1, "regions": 1, "patience_s": 4}),
    "party": ("deliver", {}),
    "reconnect-storm": ("recover", {"match_size": 4, "every_s": 1}),
    "relay": ("deliver", {"match_size": 4}),
    "status-fans": ("deliver", {"fans": 5, "rate": 2}),
    "takeover": ("kick", {"rate": 2}),
}


FORMS = {
    name: ("json", "protobuf") if operation in ("deliver", "echo") else ("json",)
    for name, (operation, _) in PLAIN.items()
}
PROFILES: dict[str, dict[str, Any]] = {
    "ramp": {},
    "step": {"steps": 3},
    "spike": {"base": 0.3, "period_s": 1.5},
    "sawtooth": {"base": 0.3, "period_s": 1.5},
    "soak": {"churn_per_s": 4},
}
AT_ONCE = 5


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Of all plain scenarios and profiles, played on one server, several at a time."""
    return asyncio.run(play_all(tmp_path_factory.mktemp("swarm")))


async def play_all(folder: Path) -> dict[str, Result]:
    turns, seeds = asyncio.Semaphore(AT_ONCE), count(100)  # by their seeds they are other users each

    async def one(server: RunningServer, scenario: str, **members: Any) -> Result:
        async with turns:
            return await played(server, scenario, **members)

    quick = {"LOCKGATE_MATCHMAKER__INTERVAL_S": "1"}
    flags = ["--module", str(EXAMPLES / "swarm_arena.py")]
    with running_server(folder, *flags, environment=quick) as server:
        async with asyncio.TaskGroup() as tasks:
            playing = {
                f"{name}-{form}": tasks.create_task(
                    one(server, name, settings=settings, format=form, duration_s=3.0, seed=next(seeds))
                )
                for name, (_, settings) in PLAIN.items()
                for form in FORMS[name]
            }
            for shape, members in PROFILES.items():
                plan = {"profile": {"shape": shape, **members}, "players": 24, "duration_s": 4.0}
                playing[shape] = tasks.create_task(
                    one(server, "relay", settings={"match_size": 4}, seed=next(seeds), **plan)
                )
            fight = {"at_once": 4, "rate": 1}
            playing["fight"] = tasks.create_task(
                one(server, "takeover", settings=fight, duration_s=4.0, seed=next(seeds))
            )
    return {name: task.result() for name, task in playing.items()}


def check(result: Result, operation: str) -> None:
    assert result.verdict == "passed", why(result)
    assert result.timings[operation].response.count > 0
    assert result.counts["arrived"] >= 12


def test_every_scenario_is_played_here() -> None:
    assert set(built_in()) == OF_THEIR_OWN | PLAIN.keys()


@pytest.mark.parametrize("name", [f"{name}-{form}" for name in sorted(PLAIN) for form in FORMS[name]])
def test_a_scenario_plays_without_a_fault(results: dict[str, Result], name: str) -> None:
    operation, _ = PLAIN[name.rpartition("-")[0]]
    result = results[name]

    check(result, operation)
    assert result.measures == ("" if name.startswith("idle") else operation)
    if operation == "deliver":
        assert result.truth.delivered == result.truth.expected > 30


def test_of_several_sockets_that_are_opened_at_once_one_stays(results: dict[str, Result]) -> None:
    check(results["fight"], "kick")
    assert results["fight"].counts["fights"] >= 12


@pytest.mark.parametrize("shape", PROFILES)
def test_players_who_come_and_go_by_a_profile_miss_nothing(results: dict[str, Result], shape: str) -> None:
    check(results[shape], "deliver")
    assert "written_off" not in results[shape].counts


RESTART = """
import os, signal, subprocess, sys, time, urllib.request
pid, how, folder, ops = int(sys.argv[1]), getattr(signal, sys.argv[2]), sys.argv[3], sys.argv[4]
os.kill(pid, how)
while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z":
    time.sleep(0.02)
log = open(os.path.join(folder, "second.log"), "wb")
again = subprocess.Popen(
    [sys.executable, "-m", "server", "serve", "--dev"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
    stderr=log, start_new_session=True,
)
open(os.path.join(folder, "second.pid"), "w").write(str(again.pid))
for _ in range(500):
    try:
        urllib.request.urlopen(f"http://{ops}/readyz", timeout=1)
        break
    except OSError:
        time.sleep(0.02)
"""
"""Ends a server in one way and starts it anew in its place; ends itself when the new one is ready."""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_everybody_is_back_after_a_drill(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, ops, issuer = (free_port() for _ in range(3))
    fixed = {
        "LOCKGATE_LISTEN__PUBLIC": f"127.0.0.1:{public}",
        "LOCKGATE_LISTEN__OPS": f"127.0.0.1:{ops}",
        "LOCKGATE_DEV__PORT": str(issuer),
    }
    for name, value in fixed.items():
        monkeypatch.setenv(name, value)  # for the command, which starts the second server
    (tmp_path / "restart.py").write_text(RESTART)
    with running_server(tmp_path, environment=fixed) as server:
        server.killed = how == "SIGKILL"
        script = [sys.executable, tmp_path / "restart.py", server.process.pid, how, tmp_path, server.ops]
        settings = {"command": shlex.join(map(str, script)), "match_size": 4}
        try:
            result = await played(server, "deploy-drill", settings=settings, duration_s=8.0)
        finally:
            os.kill(int((tmp_path / "second.pid").read_text()), signal.SIGKILL)

    check(result, "recover")
    assert result.timings["recover"].response.count == 12
    assert "status 0" in result.facts["drill"]
    assert [mark.text for mark in result.marks].count("drill") == 1


async def test_a_session_goes_on_with_a_new_socket(tmp_path: Path) -> None:
    with running_server(tmp_path, environment={"LOCKGATE_SOCKET__RESUME_S": "10"}) as server:
        result = await played(server, "resume", settings={"match_size": 4, "every_s": 1}, duration_s=4.0)

    check(result, "resume")
    assert result.timings["resume"].response.count > 12


async def test_tokens_are_refreshed_and_a_logout_ends_them(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        result = await played(server, "token-expiry", settings={"every_s": 1, "logout": True})

    check(result, "refresh")
    assert result.timings["revoke"].response.count == 12
    assert result.timings["refresh"].response.count >= 12


async def test_who_floods_is_told_and_closed_and_the_others_hear_everything(tmp_path: Path) -> None:
    with running_server(tmp_path, environment={"LOCKGATE_SOCKET__MESSAGES_PER_S": "60"}) as server:
        settings = {"match_size": 4, "rest_s": 0.3, "rate": 5}
        result = await played(server, "flooders", settings=settings)

    check(result, "deliver")
    assert any("4503" in name for name in result.counts)


async def test_who_does_not_read_costs_the_others_nothing(tmp_path: Path) -> None:
    small = {"LOCKGATE_SOCKET__OUTGOING_AGE_S": "0.5", "LOCKGATE_SOCKET__PING_INTERVAL_S": "1"}
    with running_server(tmp_path, environment=small) as server:
        settings = {"match_size": 4, "rest_s": 0.3, "for_s": 2.0, "payload_bytes": 2048, "rate": 20}
        result = await played(server, "slow-readers", settings=settings, duration_s=4.0)

    check(result, "deliver")


async def test_who_falls_silent_is_found_and_the_others_are_told(tmp_path: Path) -> None:
    hasty = {"LOCKGATE_SOCKET__PING_INTERVAL_S": "1", "LOCKGATE_SOCKET__PONG_TIMEOUT_S": "2"}
    with running_server(tmp_path, environment=hasty) as server:
        settings = {"match_size": 4, "rest_s": 0.3, "for_s": 5.0}
        result = await played(server, "half-open", settings=settings, duration_s=6.0)

    check(result, "found")
