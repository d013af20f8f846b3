"""Importing the game's modules."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.runtime.game import GameError
from server.runtime.loader import load, load_module

MATCH = """
from server.runtime import Match

class Duel(Match):
    def tick(self, inputs):
        pass
"""


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path) -> Iterator[None]:
    """What a test imports from its folder is forgotten, but no library that it was first to need."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, module in tuple(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def problem(*names: str) -> str:
    with pytest.raises(GameError) as raised:
        load(names)
    return "\n".join(raised.value.problems)


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "duel_rules.py").write_text(MATCH)

    game = load([str(tmp_path / "duel_rules.py")])

    assert list(game.matches) == ["Duel"]
    assert game.matches["Duel"].__module__ == "duel_rules"


def test_a_module_is_loaded_by_its_name() -> None:
    assert "TicTacToe" in load(["examples.tictactoe"]).matches


def test_a_package_is_loaded_by_its_folder_and_imports_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "mygame"
    folder.mkdir()
    (folder / "__init__.py").write_text("from mygame.rules import Duel")
    (folder / "rules.py").write_text(MATCH)

    assert list(load([str(folder)]).matches) == ["Duel"]


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "duel_base.py").write_text(MATCH)
    (tmp_path / "duel_main.py").write_text("from duel_base import Duel")

    assert list(load([str(tmp_path / "duel_main.py")]).matches) == ["Duel"]


def test_a_file_wins_over_a_library_of_its_name(tmp_path: Path) -> None:
    # `cmd` is in the standard library, and nobody has imported it here.
    sys.modules.pop("cmd", None)
    (tmp_path / "cmd.py").write_text(MATCH)

    assert list(load([str(tmp_path / "cmd.py")]).matches) == ["Duel"]


def test_a_file_named_as_a_module_that_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(MATCH)

    assert "another module is called json; rename the file" in problem(str(tmp_path / "json.py"))


def test_loading_twice_is_loading_once(tmp_path: Path) -> None:
    (tmp_path / "duel_once.py").write_text(MATCH)
    name = str(tmp_path / "duel_once.py")

    assert load_module(name) is load_module(name)


@pytest.mark.parametrize("name", ["no_such_game", "no_such.game", "examples.nothing"])
def test_a_name_that_is_no_module_is_told(name: str) -> None:
    assert problem(name) == f"{name}: there is no such module"


def test_every_problem_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    told = problem(str(tmp_path / "missing.py"), str(tmp_path / "empty"), "no_such_game").splitlines()

    assert len(told) == 3
    assert all("there is no such" in line for line in told)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("x = 1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_mistake_in_a_module_is_told_with_its_line(tmp_path: Path, text: str, last: str) -> None:
    file = tmp_path / "duel_broken.py"
    file.write_text(text)

    told = problem(str(file))

    assert told.endswith(last)
    assert "duel_broken.py" in told
    assert "importlib" not in told
    assert "duel_broken" not in sys.modules
