"""The exit status of `lockgate swarm` tells what a run found; its JSON and its JUnit file tell the same.

All runs are made side by side, against one server that loses some messages.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from loadtest.result import Result, read
from loadtest.verdict import EXIT
from tests.support.faulty_server import faulty_server
from tests.support.running import RunningServer
from tests.support.starving import family_of
from tests.support.swarm_runs import LENIENT, free_port

LIMIT_S: Final = 60
HOLDS: Final = "echo_p99<60s"
FAILS: Final = "echo_p50<0.001ms"
OWN_SCENARIO: Final = """
from loadtest.player import Player
from loadtest.scenario import Settings, scenario

class NoSettings(Settings, frozen=True):
    pass

@scenario
async def broken(player: Player, settings: NoSettings) -> None:
    raise LookupError("what the author forgot")
"""


class Command:
    """A run of the command, with the files that it writes."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self._json, self._junit = folder / "result.json", folder / "result.xml"

    def wait(self) -> int:
        self.printed, _ = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode

    @property
    def has_written(self) -> bool:
        return self._json.exists() or self._junit.exists()

    @property
    def result(self) -> Result:
        return read(self._json)

    def cases(self, element: str) -> set[str]:
        """The tests in the JUnit file that have this element."""
        root = ElementTree.parse(self._junit)
        return {case.attrib["name"] for case in root.iter("testcase") if case.find(element) is not None}

    def check(self, status: int) -> None:
        """Status and files agree."""
        assert self.wait() == status, self.printed
        assert EXIT[self.result.verdict] == status
        assert bool(self.cases("failure")) == (status == 1)
        assert self.cases("error") == ({"valid"} if status == 3 else set())


@contextmanager
def swarm(server: RunningServer, folder: Path, *options: str, strict: bool = False) -> Iterator[Command]:
    """Begun; `strict` keeps to the usual limits of what the swarm may be late itself."""
    places = {"url": f"http://{server.public}", "ops": f"http://{server.ops}"}
    places["issuer"] = server.issuer.rpartition("/")[0]
    files = {"json": f"{folder}/result.json", "junit": f"{folder}/result.xml"}
    few = {"players": "8", "ramp": "0.2", "warm-up": "0.2", "duration": "2"}
    command = [sys.executable, "-m", "loadtest", "--plain"]
    command += [part for name, value in (places | files | few).items() for part in (f"--{name}", value)]
    if not strict:
        command += [part for name, most in LENIENT.items() for part in ("--limit", f"{name}={most}")]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Command(process, folder)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Command]]:
    """By name, as they are begun; two of them are denied the processor for a while."""
    own = tmp_path_factory.mktemp("own") / "mine.py"
    own.write_text(OWN_SCENARIO)
    asked = {
        "denied": ("--match-size", "4", "--duration", "6"),
        "denied idle": ("--scenario", "idle", "--duration", "6"),
        "held": ("--scenario", "echo", "--threshold", HOLDS),
        "not held": ("--scenario", "echo", "--threshold", HOLDS, "--threshold", FAILS),
        "lost": ("--match-size", "4"),
        "lost, allowed": ("--match-size", "4", "--allow", "lost"),
        "lost, allowed, too many": ("--match-size", "4", "--allow", "lost", "--threshold", "lost==0"),
        "nobody there": ("--url", f"http://127.0.0.1:{free_port()}"),
        "bug": ("--scenario", str(own)),
    }
    with faulty_server(tmp_path_factory.mktemp("server"), "drop:50") as server, ExitStack() as stack:
        begun = {
            name: stack.enter_context(
                swarm(
                    server,
                    tmp_path_factory.mktemp("run"),
                    *options,
                    "--seed",
                    str(seed),
                    strict=name.startswith("denied"),
                )
            )
            for seed, (name, options) in enumerate(asked.items(), 1)
        }
        denied = [command for name, command in begun.items() if name.startswith("denied")]
        with ThreadPoolExecutor(len(denied)) as pool:
            list(pool.map(deny, denied))
        yield begun


def test_a_run_whose_thresholds_hold_passes(runs: dict[str, Command]) -> None:
    run = runs["held"]

    run.check(0)
    assert {each.text: each.held for each in run.result.thresholds} == {HOLDS: True}


def test_a_threshold_that_does_not_hold_fails_the_run(runs: dict[str, Command]) -> None:
    run = runs["not held"]

    run.check(1)
    assert {each.text: each.held for each in run.result.thresholds} == {HOLDS: True, FAILS: False}
    assert run.cases("failure") == {FAILS}


def test_what_is_lost_fails_the_run(runs: dict[str, Command]) -> None:
    run = runs["lost"]

    run.check(1)
    assert run.cases("failure") == {"lost"}
    assert run.result.truth.lost > 0


def test_what_is_lost_does_not_fail_the_run_that_allows_it(runs: dict[str, Command]) -> None:
    run = runs["lost, allowed"]

    run.check(0)
    assert run.result.truth.lost > 0
    assert run.result.allowed == ["lost"]


def test_a_threshold_holds_also_for_what_is_allowed(runs: dict[str, Command]) -> None:
    run = runs["lost, allowed, too many"]

    run.check(1)
    assert run.cases("failure") == {"lost==0"}


def test_without_a_server_there_is_no_verdict(runs: dict[str, Command]) -> None:
    run = runs["nobody there"]

    assert run.wait() == 2, run.printed
    assert "no server answers at 127.0.0.1" in run.printed
    assert not run.has_written


def test_whoever_wrote_a_scenario_is_told_where_it_failed(runs: dict[str, Command]) -> None:
    run = runs["bug"]

    assert run.wait() == 2, run.printed
    assert "a worker failed: LookupError" in run.printed
    assert 'raise LookupError("what the author forgot")' in run.printed
    assert not run.has_written


@pytest.mark.parametrize("name", ["denied", "denied idle"])
def test_a_tester_that_is_denied_the_processor_says_nothing_of_the_server(
    runs: dict[str, Command], name: str
) -> None:
    run = runs[name]

    run.check(3)
    assert run.result.honesty.reasons
    assert "INVALID" in run.printed
    assert "lost" in run.cases("skipped")
    # Messages were lost, too, but who is this late itself is no witness.
    assert (run.result.truth.lost > 0) == (name == "denied")


def wait_until_played(command: Command) -> None:
    assert command.process.stdout is not None
    printed = []
    for line in command.process.stdout:
        printed.append(line)
        if "connected 8" in line:
            return
    raise AssertionError(f"the players never came:\n{''.join(printed)}")


def deny(command: Command) -> None:
    """Let its workers run for a short while only, again and again, as a host does that is overcommitted."""
    wait_until_played(command)
    workers = family_of(command.process.pid)[1:]
    for _ in range(10):
        for what, for_s in ((signal.SIGSTOP, 0.2), (signal.SIGCONT, 0.05)):
            for pid in workers:
                with suppress(ProcessLookupError):  # the run may end meanwhile
                    os.kill(pid, what)
            time.sleep(for_s)
