"""The swarm finds each fault that is planted in the real server, as often as it struck, and invents none.

Every case has a server of its own, and several run side by side: most of the time of each is waiting.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from loadtest.result import Result
from loadtest.verdict import EXIT, why
from tests.support import all_places
from tests.support.faulty_server import faulty_server, struck
from tests.support.swarm_runs import played

AT_ONCE: Final = 4
"""Cases, on two processors."""
JOINS: Final = 3 * 3 * (1 + 2 + 3)
"""How often a member is told that another one joined: three groups of four, in three places each."""
EVERY_NEWS: Final = 12
FOUND: Final = {
    "drop": ["lost"],
    "duplicate": ["duplicated"],
    "reorder": ["reordered"],
    "misdirect": ["lost", "misdelivered"],
    "leak": ["misdelivered"],
    "corrupt": ["lost", "corrupt"],
}
"""What each strike is counted as; two counters where one message is missing and another too many."""


class Case(NamedTuple):
    fault: str
    scenario: str
    form: str = "json"

    def __str__(self) -> str:
        return f"{self.fault.partition(':')[0]}-{self.scenario}-{self.form}"


class Found(NamedTuple):
    result: Result
    struck: int

    @property
    def faults(self) -> dict[str, int]:
        return {name: count for name, count in self.result.truth.faults().items() if count}


def everywhere(fault: str, form: str = "json") -> Case:
    return Case(fault, "all_places", form)


# Up to 1,500 messages are delivered in a run. The first that is struck comes when all are in: what is said
# while somebody comes may be heard or not, and a fault in that would be none.
DELIVERIES: Final = [
    *(everywhere(f"{fault}:101") for fault in FOUND if fault != "reorder"),
    *(everywhere(f"{fault}:101", "protobuf") for fault in ("misdirect", "corrupt")),
    # Whoever gets an answer is not kept waiting by this fault, and in parties and chat rooms they always do.
    Case("reorder:101", "relay"),
]
GHOST: Final = everywhere("presence_ghost:199")
NEWS: Final = everywhere(f"presence_lost:{EVERY_NEWS}", "protobuf")
TAKEOVERS: Final = [Case(f"{fault}:25", "takeover") for fault in ("two_sockets", "two_sockets_silent")]
SOUND: Final = [everywhere("late:20"), everywhere("freeze:1:0.3", "protobuf")]
ALL: Final = [*DELIVERIES, *TAKEOVERS, GHOST, NEWS, *SOUND]
SCENARIOS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "all_places": (str(Path(all_places.__file__)), {"duration_s": 3.0}),
    "relay": ("relay", {"duration_s": 3.0, "settings": {"match_size": 4, "rate": 10}}),
    # Some 44 takeovers by the schedule, of which the 25th is the one that is struck, and behind it the time
    # that two sockets are given.
    "takeover": ("takeover", {"duration_s": 5.2, "players": 8, "settings": {"rate": 1}}),
}


def tried(case: Case, folder: Path) -> Found:
    scenario, members = SCENARIOS[case.scenario]
    if case == NEWS:
        members = {**members, "duration_s": 4.0}  # of who came a moment ago nothing is asked
    with faulty_server(folder, case.fault) as server:
        result = asyncio.run(played(server, scenario, format=case.form, ramp_s=0.3, **members))
    return Found(result, struck(server))


@pytest.fixture(scope="module")
def findings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Case, Future[Found]]]:
    """Of all cases that are asked for, begun in their order."""
    items = (each for each in request.session.items if each.path == request.path)
    asked = {each.callspec.params["case"] for each in items if isinstance(each, pytest.Function)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            case: pool.submit(tried, case, tmp_path_factory.mktemp("case")) for case in ALL if case in asked
        }


def check_failed(found: Found) -> None:
    assert found.result.verdict == "failed", why(found.result)
    assert EXIT[found.result.verdict] == 1
    assert not found.result.errors


@pytest.mark.parametrize("case", DELIVERIES, ids=str)
def test_each_delivery_that_goes_wrong_is_found(case: Case, findings: dict[Case, Future[Found]]) -> None:
    found = findings[case].result()

    assert found.struck > 1
    assert found.faults == dict.fromkeys(FOUND[case.fault.partition(":")[0]], found.struck)
    check_failed(found)


@pytest.mark.parametrize("case", [GHOST], ids=str)
def test_a_leave_that_never_was_is_found(case: Case, findings: dict[Case, Future[Found]]) -> None:
    found = findings[case].result()

    # Who is told of the same leave twice believes one wrong thing, and it counts once. That happens: players
    # speak in turns that repeat.
    assert found.faults.keys() == {"presence_diverged"}
    assert 1 < found.result.truth.presence_diverged <= found.struck
    check_failed(found)


@pytest.mark.parametrize("case", [NEWS], ids=str)
def test_a_join_that_a_member_is_not_told_of_is_found(
    case: Case, findings: dict[Case, Future[Found]]
) -> None:
    found = findings[case].result()

    assert found.faults == {"presence_diverged": JOINS // EVERY_NEWS}
    # It struck leaves, too, when all left at once: nobody stays who could believe anything wrong.
    assert found.struck > found.result.truth.presence_diverged
    check_failed(found)


@pytest.mark.parametrize("case", TAKEOVERS, ids=str)
def test_two_sockets_of_one_user_are_found(case: Case, findings: dict[Case, Future[Found]]) -> None:
    found = findings[case].result()

    assert found.faults == {"two_sockets": 1}
    assert found.struck == 1
    check_failed(found)


@pytest.mark.parametrize("case", SOUND, ids=str)
def test_a_server_that_is_only_late_or_busy_is_no_liar(
    case: Case, findings: dict[Case, Future[Found]]
) -> None:
    found = findings[case].result()

    assert found.result.verdict == "passed", why(found.result)
    assert not found.faults
    assert found.result.truth.delivered == found.result.truth.expected > 500
    assert found.struck > 0
