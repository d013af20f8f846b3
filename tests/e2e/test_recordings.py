"""What the reference server said on its sockets, said again to ours: frames, order, close codes, refusals.

Cases of one scenario share connections and state, so a scenario is played once and each case asserts its own
part. Where we differ on purpose stands in `differences.json`, with the reason; nothing else may differ. What
was recorded in JSON is said once more in protobuf, and the same must come of it.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import uvloop

from protocol.envelope import Format
from tests.support.clock import JumpingClock
from tests.support.inprocess import running
from tests.support.replay import Played, Replay, Step, in_protobuf

FOLDER = Path(__file__).parents[1] / "recordings"
LINES = [json.loads(line) for line in (FOLDER / "sockets.jsonl").read_text().splitlines()]
CASES = [line["case"] for line in LINES if line["case"]]

SHORTENED: dict[str, dict[str, Any]] = {
    "keepalive": {"ping_interval_s": 0.6, "pong_timeout_s": 1.0, "close_timeout_s": 0.5},
}
"""Socket settings of scenarios that would take half a minute with the defaults (here 15 s and 25 s)."""

IN_JSON = [
    line
    for line in LINES
    if not line["scenario"].startswith("protobuf") and line["scenario"] not in SHORTENED
]
"""What is said again in protobuf."""
TRANSLATED = [line["case"] for line in IN_JSON if line["case"]]
DIFFERENCES = json.loads((FOLDER / "differences.json").read_text())
PLACES = [place for difference in DIFFERENCES for place in difference["at"]]

Results = dict[tuple[str, Format], Played | Exception]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Results:
    return uvloop.run(replay_all(tmp_path_factory.mktemp("server"), module_database_url))


@pytest.mark.parametrize("case", CASES)
def test_a_connection_hears_what_was_recorded(results: Results, case: str) -> None:
    check(results[case, Format.JSON])


@pytest.mark.parametrize("case", TRANSLATED)
def test_a_protobuf_connection_hears_the_same(results: Results, case: str) -> None:
    check(results[case, Format.PROTOBUF])


def check(played: Played | Exception) -> None:
    if isinstance(played, Exception):
        raise played
    assert played.heard == played.expected


def test_every_difference_has_its_place() -> None:
    steps = {line["case"]: line["steps"] for line in LINES}

    unused = [place for place in PLACES if with_ours(steps[place["case"]], place) == steps[place["case"]]]

    assert unused == []
    assert all(difference["reason"] for difference in DIFFERENCES)


async def replay_all(folder: Path, url: str) -> Results:
    results: Results = {}
    async with AsyncExitStack() as stack:
        clock = JumpingClock()
        shared = await stack.enter_async_context(running(folder, url=url, clock=clock))
        for scenario, lines in groupby(LINES, key=lambda line: line["scenario"]):
            if scenario in SHORTENED:
                async with running(folder / scenario, socket=SHORTENED[scenario], clock=clock) as own:
                    await play_scenario(Replay(own, clock, pings=True), list(lines), results)
            else:
                await play_scenario(Replay(shared, clock), list(lines), results)
        for _, lines in groupby(IN_JSON, key=lambda line: line["scenario"]):
            await play_scenario(Replay(shared, clock), list(lines), results, Format.PROTOBUF)
    return results


async def play_scenario(
    replay: Replay, lines: list[dict[str, Any]], results: Results, form: Format = Format.JSON
) -> None:
    for line in lines:
        steps = line["steps"]
        for place in PLACES:
            if place["case"] == line["case"]:
                steps = with_ours(steps, place)
        if form is Format.PROTOBUF:
            steps = in_protobuf(steps)
        try:
            results[line["case"], form] = await replay.play(steps)
        except (AssertionError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            results[line["case"], form] = error
    if not replay.names_are_distinct():
        results[lines[-1]["case"], form] = AssertionError("two names of the recording stand for one value")
    await replay.end()


def with_ours(steps: list[Step], place: dict[str, Any]) -> list[Step]:
    """The steps with what was recorded at a place replaced by what we say there."""
    at = [number for number, step in enumerate(steps) if step.get("conn") == place["conn"] and "got" in step]
    recorded = [{"conn": place["conn"], **event} for event in place["recorded"]]
    for run in runs(at, len(recorded)):
        if [steps[number] for number in run] == recorded:
            ours = [{"conn": place["conn"], **event} for event in place["ours"]]
            kept = [(number, step) for number, step in enumerate(steps) if number not in run]
            return [
                *(step for number, step in kept if number < run[0]),
                *ours,
                *(step for number, step in kept if number > run[0]),
            ]
    return steps


def runs(numbers: list[int], length: int) -> Iterator[list[int]]:
    for start in range(len(numbers) - length + 1):
        yield numbers[start : start + length]
