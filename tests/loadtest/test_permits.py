"""Which plans an agent plays, and how its workers get them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.failures import SwarmError
from loadtest.permits import Permits
from loadtest.plan import Plan, SignIn


def data(**more: Any) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(Plan(**more))
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "allowed" / "inner").mkdir(parents=True)
    for name in ("secret.py", "allowed/mine.py", "allowed/inner/other.py"):
        (tmp_path / name).touch()
    (tmp_path / "allowed" / "way_out.py").symlink_to(tmp_path / "secret.py")
    return tmp_path / "allowed"


def test_a_scenario_by_name_is_played() -> None:
    assert Permits().allow(data(scenario="slow-readers"))["scenario"] == "slow-readers"


def test_one_of_several_scenarios_of_a_file_is_named_behind_it(folder: Path) -> None:
    allowed = Permits(folder).allow(data(scenario="mine.py:storm"))

    assert allowed["scenario"] == f"{(folder / 'mine.py').resolve()}:storm"


@pytest.mark.parametrize("path", ["mine.py", "./mine.py", "inner/other.py", "inner/../mine.py"])
def test_a_file_in_the_owners_folder_is_played(folder: Path, path: str) -> None:
    allowed = Permits(folder).allow(data(scenario=path))

    assert allowed["scenario"] == str((folder / path).resolve())
    assert Permits(folder).allow(data(scenario=str(folder / path))) == allowed


@pytest.mark.parametrize(
    "path",
    [
        "../secret.py",
        "../secret.py:storm",
        "way_out.py",
        "inner/",
        "",
        ".",
        "none.py",
        "/etc/passwd",
        "a\0b",
        "inner/../../secret.py",
    ],
)
def test_a_file_elsewhere_is_not(folder: Path, path: str) -> None:
    with pytest.raises(SwarmError, match="not in this agent's folder"):
        Permits(folder).allow(data(scenario=path))


def test_without_a_folder_no_file_is_played(folder: Path) -> None:
    with pytest.raises(SwarmError, match="no scenario files"):
        Permits().allow(data(scenario=str(folder / "mine.py")))


@pytest.mark.parametrize(
    "settings",
    [
        {"command": "x"},
        {"drill_command": "x"},
        {"pid": 7},
        {"Server_PID": 7},
        {"drill": {"kill": [{"pid": 7}]}},
        {"commands": ["x"]},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_a_setting_that_names_a_command_or_a_process_needs_permission(settings: dict[str, Any]) -> None:
    with pytest.raises(SwarmError, match="refuses the setting"):
        Permits().allow(data(settings=settings))

    assert Permits(commands=True).allow(data(settings=settings))["settings"] == settings


def test_other_settings_pass() -> None:
    settings = {"match_size": 10, "rapid": 5, "words": ["command"], "command": ""}

    assert Permits().allow(data(settings=settings))["settings"] == settings


def test_a_sign_in_command_needs_permission() -> None:
    plan = data(sign_in=SignIn(way="command", command="print {name}"))

    with pytest.raises(SwarmError, match="no sign-in command"):
        Permits().allow(plan)

    assert Permits(commands=True).allow(plan)["sign_in"]["command"] == "print {name}"


def test_what_is_of_the_coordinators_machine_stays_there() -> None:
    allowed = Permits(commands=True).allow(data(server_pid=1, agents=["b:1"], agent_secret="x", pin=[3]))

    assert [allowed[name] for name in ("server_pid", "agents", "agent_secret", "pin")] == [None, [], "", []]


def test_a_plan_that_makes_no_sense_is_told() -> None:
    with pytest.raises(SwarmError, match="the plan makes no sense"):
        Permits().allow({"players": "many"})
