"""A game's files are saved while the server runs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.game import reload as module
from server.game.reload import Reloader, _folders, _look
from server.runtime.game import Game
from server.runtime.loader import load, own_modules
from server.tasks import TaskOwner
from tests.support.inprocess import running, until

GAME = """
from server.runtime import Match, rpc, server
from rules_{name} import STEP

class Counter(Match):
    tick_rate = 60

    def init(self, params):
        self.count = 0

    def tick(self, inputs):
        self.count += STEP

    def signal(self, data):
        return f"{{self.count}} by {{STEP}}"

    {snapshot}

@rpc
async def create(caller, payload):
    return await server.create_match(Counter)

@rpc
async def ask(caller, payload):
    return await server.signal(payload)
"""
SNAPSHOT = "def snapshot(self): return self.count\n    def restore(self, state): self.count = state"


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path) -> Iterator[None]:
    """What a test imports from its folder is forgotten, but no library that it was first to need."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, imported in tuple(sys.modules.items()):
        if str(getattr(imported, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


class Files:
    """A game of two files."""

    def __init__(self, folder: Path) -> None:
        self.name = f"game_{abs(hash(folder))}"
        self.game = folder / f"{self.name}.py"
        self.rules = folder / f"rules_{self.name}.py"
        self.write(SNAPSHOT)
        self.step("1")

    def write(self, snapshot: str = "") -> None:
        self.game.write_text(GAME.format(name=self.name, snapshot=snapshot))

    def step(self, text: str) -> None:
        self.rules.write_text(f"STEP = {text}\n")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    folder = tmp_path / "code"
    folder.mkdir()
    return Files(folder)


@pytest.fixture
def watched(files: Files) -> tuple[Reloader, list[Game]]:
    taken: list[Game] = []
    names = [str(files.game)]
    load(names)
    reloader = Reloader(names, taken.append, TaskOwner("test"))
    reloader._folders = _folders(names)
    reloader._seen = _look(reloader._folders)
    return reloader, taken


def look(reloader: Reloader) -> bool:
    return reloader.look(_look(reloader._folders))


def test_what_is_not_changed_is_not_loaded(watched: tuple[Reloader, list[Game]]) -> None:
    reloader, taken = watched

    assert not look(reloader)
    assert taken == []


def test_a_saved_file_is_loaded_with_all_that_imports_it(
    files: Files, watched: tuple[Reloader, list[Game]]
) -> None:
    reloader, taken = watched

    for step in ("2", "3", "4"):  # within the same second, and of the same size
        files.step(step)
        assert look(reloader)

    assert [vars(sys.modules[game.matches["Counter"].__module__])["STEP"] for game in taken[-1:]] == [4]
    assert reloader.reloaded == 3


@pytest.mark.parametrize("broken", ["1 /", "1 / 0", "\nraise SystemExit"])
def test_code_that_cannot_be_loaded_is_told_and_changes_nothing(
    files: Files, watched: tuple[Reloader, list[Game]], broken: str
) -> None:
    reloader, taken = watched
    before = {each.__name__: each for each in own_modules([str(files.game)])}

    files.step(broken)
    with capture_logs() as logged:
        assert not look(reloader)
        assert not look(reloader)

    (told,) = logged
    assert (told["event"], told["changed"]) == ("game_not_reloaded", [files.rules.name])
    assert files.rules.name in told["problems"][0]
    assert {each.__name__: each for each in own_modules([str(files.game)])} == before
    assert taken == []
    files.step("2")
    assert look(reloader)


def test_a_file_that_was_missing_may_come(files: Files, watched: tuple[Reloader, list[Game]]) -> None:
    reloader, taken = watched
    text = files.rules.read_text()

    files.rules.unlink()
    assert not look(reloader)
    files.rules.write_text(text)

    assert look(reloader)
    assert len(taken) == 1


def test_a_package_that_is_imported_later_is_watched_too(
    files: Files, watched: tuple[Reloader, list[Game]]
) -> None:
    reloader, taken = watched
    package = files.game.parent / f"maps_{files.name}"
    package.mkdir()
    (package / "__init__.py").write_text("WIDTH = 3\n")

    files.rules.write_text(f"from {package.name} import WIDTH as STEP\n")
    assert look(reloader)
    assert not look(reloader)
    (package / "__init__.py").write_text("WIDTH = 4\n")
    assert look(reloader)

    assert vars(sys.modules[taken[-1].matches["Counter"].__module__])["STEP"] == 4


def test_libraries_and_the_server_are_no_part_of_a_game(files: Files) -> None:
    load([str(files.game)])

    own = {each.__name__ for each in own_modules([str(files.game)])}

    assert own == {files.name, f"rules_{files.name}"}


@pytest.mark.parametrize(("snapshot", "steps"), [(SNAPSHOT, {"7"}), ("", {"1"})])
async def test_running_matches_keep_their_state(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: str, steps: set[str]
) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 0.0)
    files.write(snapshot)
    async with running(tmp_path, modules=(str(files.game),)) as live:
        alice = await live.connect("alice")

        async def call(name: str, payload: str = "") -> str:
            alice.say(cid="1", rpc={"id": name, "payload": payload})
            return str((await alice.hear())["rpc"]["payload"])

        match_id = await call("create")
        while int((await call("ask", match_id)).split()[0]) < 3:
            continue
        before = live.server.game.game

        files.step("7")
        await until(lambda: live.server.game.game is not before)

        count, _, step = (await call("ask", match_id)).split()
        assert int(count) >= 3
        assert {step} == steps
        assert (await call("ask", await call("create"))).endswith("by 7")
        await alice.hang_up()
