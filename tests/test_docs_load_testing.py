"""The page on load testing says what is so: its commands parse, its names exist, its scenario plays."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from loadtest import options, verdict
from loadtest.figures import OPERATIONS
from loadtest.plan import Limits, Profile
from loadtest.result import FAULTS
from loadtest.scenario import built_in
from loadtest.threshold import parse
from tests.support.running import running_server

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "load-testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SHELL = "\n".join(text for language, text in BLOCKS if language == "sh").replace("\\\n", " ")
COMMANDS = [
    words[words.index("lockgate") :]
    for line in SHELL.splitlines()
    if "lockgate" in (words := shlex.split(line, comments=True))
]
SCENARIO = next(text for language, text in BLOCKS if language == "python")
PLAN, JOB = (text for language, text in BLOCKS if language == "yaml")
SLOW_MACHINE = ["lag_p99_ms", "lag_max_ms", "slip_p99_ms", "gc_max_ms"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, written down as it says."""
    (tmp_path / "lobby.py").write_text(SCENARIO)
    (tmp_path / "run.yaml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(text: str) -> list[str]:
    """What is in code quotes there, of a section's only table or of the text that begins with it."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_each_command_is_understood(folder: Path, number: int) -> None:
    program, swarm, *arguments = COMMANDS[number]

    asked = options.parse(arguments)

    assert (program, swarm) == ("lockgate", "swarm")
    assert asked.command in options.COMMANDS


def test_there_are_commands_of_each_kind() -> None:
    assert {words[2] for words in COMMANDS} >= {"list", "compare", "capacity", "agent"}


def test_the_job_is_yaml_and_its_run_is_understood() -> None:
    (job,) = yaml.safe_load(JOB).values()
    runs = [line for line in job["script"] if line.startswith("lockgate swarm")]

    asked = options.parse(shlex.split(runs[0])[2:])

    assert len(runs) == 1
    assert asked.outputs.junit == Path("results/swarm.xml")


def test_all_flags_are_told_and_none_else() -> None:
    parser = options._parser()
    (kinds,) = (action for action in parser._actions if action.dest == "kind")
    assert isinstance(kinds.choices, dict)
    flags = {
        flag
        for kind in kinds.choices.values()
        for action in kind._actions
        for flag in action.option_strings
        if flag.startswith("--") and flag != "--help"
    }

    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) - {"--dev"}

    assert told == flags


def test_scenarios_are_told_by_their_names() -> None:
    assert sorted(first_column(section("Scenarios"))) == sorted(built_in())


def test_profiles_are_told_with_their_defaults() -> None:
    told, default = section("Profiles"), Profile()

    assert first_column(told) == ["constant", "ramp", "step", "spike", "sawtooth", "soak"]
    for flag, value in (
        ("steps", default.steps),
        ("base", default.base),
        ("period", default.period_s),
        ("churn", default.churn_per_s),
    ):
        assert f"`--{flag} {value:g}`" in told


def test_operations_counters_and_limits_are_told_by_their_names() -> None:
    assert sorted(first_column(section("What is measured"))) == sorted(OPERATIONS)
    assert first_column(section("Truth")) == list(FAULTS)
    assert first_column(section("Verdicts")) == list(Limits.__struct_fields__)


def test_limits_and_exit_statuses_are_as_told() -> None:
    told = section("Verdicts")

    for name in Limits.__struct_fields__:
        assert f"| `{name}` | {getattr(Limits(), name):g} |" in told
    for name, status in verdict.EXIT.items():
        assert re.search(rf"\| {status} \| {name} \|", told, re.IGNORECASE)


@pytest.mark.parametrize("expression", first_column(section("Thresholds")))
def test_each_threshold_is_understood(expression: str) -> None:
    assert parse(expression).text == expression


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }

    assert [link for link in re.findall(r"\]\(#([^)]+)\)", PAGE) if link not in headings] == []


def test_files_and_folders_that_it_names_exist() -> None:
    named = set(re.findall(r"`((?:loadtest|protocol|examples|server)/[\w./]*)`", PAGE))

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    assert named != set()


def test_the_scenario_passes_a_strict_type_checker(folder: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "lobby.py"]

    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout


def test_the_scenario_plays_against_a_server(folder: Path) -> None:
    (words,) = (words for words in COMMANDS if "lobby.py" in words)
    tempo = ["--ramp", "0.1", "--warm-up", "0", "--duration", "2", "--set", "rate=5", "--players", "10"]
    # Whether a machine that runs other tests meanwhile is fast enough is not the question here.
    patience = [word for name in SLOW_MACHINE for word in ("--limit", f"{name}=60000")]
    patience += ["--limit", "cpu=9", "--threshold", "turns>0", "--json", "result.json"]

    with running_server(folder) as server:
        places = ["--url", f"http://{server.public}", "--ops", f"http://{server.ops}"]
        places += ["--issuer", server.issuer.rpartition("/")[0]]
        asked = [word.replace("status_p99<50ms", "status_p99<60s") for word in words[2:]]
        done = subprocess.run(
            [sys.executable, "-m", "loadtest", *asked, *tempo, *places, *patience],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "result.json").read_text())
    assert found["truth"]["delivered"] > 0
    # Turns before the load are counted, and not timed.
    assert 0 < found["timings"]["status"]["response"]["count"] <= found["counts"]["turns"]
