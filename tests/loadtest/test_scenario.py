"""Scenarios are found by name and in files of one's own; what makes no sense is told, and by its name."""

from pathlib import Path

import pytest

from loadtest.failures import SwarmError
from loadtest.player import Player
from loadtest.scenario import Settings, built_in, find, scenario, settings_of

OWN = '''
from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from loadtest.scenarios.echo import echo


class MineSettings(Settings, frozen=True):
    rate: float = 2.0


@scenario
async def mine(player: Player, settings: MineSettings) -> None:
    """all mine"""
'''
SECOND = '''

@scenario
async def another_one(player: Player, settings: MineSettings) -> None:
    """too"""
'''


def file(folder: Path, text: str) -> str:
    (folder / "own.py").write_text(text)
    return str(folder / "own.py")


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_scenario_says_what_it_is_and_has_settings_that_fit(name: str) -> None:
    found = find(name)

    assert found.summary
    assert settings_of(found, {}).group_size >= 1


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(SwarmError, match=r"no scenario 'realy'; there are arena, .*relay"):
        find("realy")


def test_a_file_with_one_scenario_needs_no_name(tmp_path: Path) -> None:
    found = find(file(tmp_path, OWN))

    # What it only imports is not its own.
    assert (found.name, found.summary) == ("mine", "all mine")
    assert settings_of(found, {"rate": "2.5"}).rate == 2.5


def test_one_of_several_is_named_behind_a_colon(tmp_path: Path) -> None:
    path = file(tmp_path, OWN + SECOND)

    assert find(f"{path}:another-one").name == "another-one"
    with pytest.raises(SwarmError, match=r"has (another-one, mine|mine, another-one)"):
        find(path)
    with pytest.raises(SwarmError, match="name one"):
        find(f"{path}:no-such")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no scenario"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def (", "SyntaxError"),
        ("raise SystemError('at once')", "SystemError: at once"),
        ("from loadtest.scenario import scenario\n@scenario\ndef f(player, settings): ...", "TypeError"),
    ],
    ids=["empty", "import", "syntax", "raises", "no-coroutine"],
)
def test_a_file_that_cannot_be_used_is_told_why(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SwarmError, match=told):
        find(file(tmp_path, text))


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match="there is no scenario file"):
        find(str(tmp_path / "none.py"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"speed": 1}, "relay has no setting 'speed'; it has match_size, rate, payload_bytes"),
        ({"rate": "fast"}, "a setting of relay makes no sense.*rate"),
        ({"match_size": 0}, "a setting of relay makes no sense.*match_size"),
    ],
    ids=["unknown", "no-number", "too-small"],
)
def test_a_setting_that_makes_no_sense_is_named(given: dict[str, object], told: str) -> None:
    with pytest.raises(SwarmError, match=told):
        settings_of(find("relay"), given)


def test_only_coroutines_of_a_player_and_settings_are_scenarios() -> None:
    async def without(player: Player) -> None: ...

    async def other(player: Player, settings: int) -> None: ...

    def plain(player: Player, settings: Settings) -> None: ...

    for wrong in (without, other, plain):
        with pytest.raises(TypeError):
            scenario(wrong)  # type: ignore[arg-type]  # that is what is tested


def test_data_classes_with_postponed_types_work_and_the_player_needs_no_type(tmp_path: Path) -> None:
    text = """from __future__ import annotations
from dataclasses import dataclass
from loadtest.scenario import Settings, scenario

@dataclass
class Move:
    x: int = 0

class Mine(Settings, frozen=True):
    speed: float = 2.0

@scenario
async def own(player, settings: Mine) -> None:
    'Own.'
"""

    found = find(file(tmp_path, text))

    assert settings_of(found, {"speed": "3"}).speed == 3.0


def test_a_file_that_exits_does_not_take_the_swarm_with_it(tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match="SystemExit"):
        find(file(tmp_path, "raise SystemExit(3)"))
