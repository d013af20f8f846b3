"""What is done by each word of `lockgate swarm`, as far as no run is needed for it."""

import asyncio
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest import agent, commands
from loadtest.faces.watcher import Watcher
from loadtest.failures import SwarmError
from loadtest.options import SECRET, parse
from loadtest.plan import Plan
from loadtest.result import Result
from tests.support.swarm_results import result


def test_an_agent_serves_with_processors_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, int, str, Sequence[int]]] = []

    async def serve(host: str, port: int, secret: str, cpus: Sequence[int], **_: Any) -> None:
        served.append((host, port, secret, cpus))

    monkeypatch.setattr(agent, "serve", serve)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {6, 2, 9}, raising=False)
    monkeypatch.setenv(SECRET, "s3cret")

    status = commands.main(
        parse(["agent", "--listen", "127.0.0.1:7360", "--workers", "2"]), io.StringIO(), {}
    )

    assert status == 0
    assert served == [("127.0.0.1", 7360, "s3cret", [2, 6])]


@pytest.mark.parametrize("command", ["run", "capacity"])
def test_nothing_is_begun_whose_result_cannot_be_written(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "run", lambda *_: pytest.fail("it was begun"))

    with pytest.raises(SwarmError, match="it is a folder"):
        commands.main(parse([command, "--json", str(tmp_path)]), io.StringIO(), {})


@pytest.mark.parametrize(("ramp", "ramps_s"), [((), [1.0, 2.0, 4.0]), (("--ramp", "1"), [1.0, 1.0, 1.0])])
def test_a_search_lets_more_players_take_longer_to_come_unless_told(
    ramp: tuple[str, ...], ramps_s: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played: list[Plan] = []

    async def run(plan: Plan, watch: Watcher, _stop: asyncio.Event) -> Result:
        played.append(plan)
        watch.end()
        return result(verdict="passed")

    monkeypatch.setattr(commands, "run", run)
    options = ["capacity", "--start", "100", "--ceiling", "400", "--confirm", "0", *ramp]
    said = io.StringIO()

    status = commands.main(parse([*options, "--json", str(tmp_path / "found.json")]), said, {})

    assert status == 0
    assert [(plan.players, plan.ramp_s) for plan in played] == list(
        zip([100, 200, 400], ramps_s, strict=True)
    )
    assert "at least 400 players hold: no more were asked for" in said.getvalue()
    assert msgspec.json.decode((tmp_path / "found.json").read_bytes())["players"] == 400


@pytest.mark.parametrize(
    ("verdicts", "status"), [("invalid failed", 1), ("invalid invalid", 3), ("failed failed", 1)]
)
def test_a_search_without_an_answer_ends_as_its_runs_did(
    verdicts: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = iter(verdicts.split() * 20)

    async def run(plan: Plan, watch: Watcher, _stop: asyncio.Event) -> Result:
        watch.end()
        return result(verdict=next(coming))

    monkeypatch.setattr(commands, "run", run)
    options = parse(["capacity", "--start", "20", "--ceiling", "40", "--confirm", "0"])

    assert commands.main(options, io.StringIO(), {}) == status
