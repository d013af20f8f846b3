"""What the reference server answered to requests that belong together, asked again of the whole server.

Cases of one scenario share logins (`{session:xa}`, `{identity:xa}`), so a scenario is played
once and each case asserts its own part. Requests that stand alone are in `http.jsonl`. Where we differ on
purpose stands in `differences.json`, by case and number of the exchange; nothing else may differ.
"""

import asyncio
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import uvloop

from server.config import AdmissionSettings
from tests.support.clock import JumpingClock
from tests.support.exchanges import Answers, Exchange, Exchanges, Heard
from tests.support.inprocess import running

FOLDER = Path(__file__).parents[1] / "recordings"
LINES = [json.loads(line) for line in (FOLDER / "sequences.jsonl").read_text().splitlines()]
EXCHANGES: dict[str, list[Exchange]] = {
    line["case"]: requests
    for line in LINES
    if (requests := [step for step in line["exchanges"] if "request" in step])
}
SILENCES = {
    line["case"]: step["silence"] for line in LINES for step in line["exchanges"] if "silence" in step
}
"""Connections on which nothing is said."""
DIFFERENCES = json.loads((FOLDER / "differences.json").read_text())
PLACES = [place for difference in DIFFERENCES for place in difference.get("http", ())]

Results = dict[str, Heard | Exception]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Results:
    return uvloop.run(replay_all(tmp_path_factory.mktemp("server"), module_database_url))


@pytest.mark.parametrize("case", EXCHANGES)
def test_requests_in_a_row_are_answered_as_was_recorded(results: Results, case: str) -> None:
    heard = results[case]

    if isinstance(heard, Exception):
        raise heard
    assert heard.answers == heard.expected


def test_every_difference_has_its_place() -> None:
    """With the test above: what is listed was recorded so, and what we answer is what is listed as ours."""
    recorded = {
        (case, number): told(exchange["response"])
        for case, exchanges in EXCHANGES.items()
        for number, exchange in enumerate(exchanges)
    } | {(case, 0): silence for case, silence in SILENCES.items()}

    listed = {(place["case"], place["exchange"]): place["recorded"] for place in PLACES}

    assert {at: recorded.get(at) for at in listed} == listed
    assert len(listed) == len(PLACES)
    assert [place for place in PLACES if place["ours"] == place["recorded"]] == []


def test_what_is_not_replayed_has_its_reason() -> None:
    sockets = (FOLDER / "sockets.jsonl").read_text().splitlines()
    alone = (FOLDER / "http.jsonl").read_text().splitlines()
    replayed = {json.loads(line)["case"] for line in sockets + alone} | {line["case"] for line in LINES}

    missing = {
        case: difference["reason"]
        for difference in DIFFERENCES
        for case in difference.get("not_replayed", ())
    }

    assert missing.keys() & replayed == set()
    assert all(missing.values())


async def test_a_connection_on_which_nothing_is_said_is_closed_in_silence(tmp_path: Path) -> None:
    async with running(tmp_path, admission={"head_timeout_s": 0.2}) as live:
        socket = await live.dial()

        assert await socket.read() is None

        await socket.hang_up()
    assert SILENCES["idle_tcp"] == {"closed_after_s": AdmissionSettings().head_timeout_s}


def told(response: dict[str, Any]) -> dict[str, Any]:
    return {"status": response["status"], "body": response["body"]}


async def replay_all(folder: Path, url: str) -> Results:
    results: Results = {}
    clock = JumpingClock()
    ours = {(place["case"], place["exchange"]): place["ours"] for place in PLACES}
    async with running(folder, url=url, clock=clock) as live:
        for _, lines in groupby(LINES, key=lambda line: line["scenario"]):
            exchanges = Exchanges(live, clock)
            for line in (line for line in lines if line["case"] in EXCHANGES):
                answers: Answers = {
                    number: answer for (case, number), answer in ours.items() if case == line["case"]
                }
                try:
                    results[line["case"]] = await exchanges.play(line["exchanges"], answers)
                except (AssertionError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    results[line["case"]] = error
    return results
