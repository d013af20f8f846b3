"""The watch over the key file: what is taken over, what is refused and told once, and how often it looks."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.config import Settings
from server.identity.key_file import FileState, KeyFile
from server.identity.key_watch import KeyWatch
from server.identity.revocation import Revocations
from server.identity.signingkeys import SigningKeys
from server.identity.tokens import Subject, Tokens
from server.ids import RandomIds
from server.sections import SessionSettings
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.inprocess import until
from tests.support.site import LIFETIMES

IDS = RandomIds("test")


def rotated(keys: SigningKeys) -> SigningKeys:
    new = SigningKeys.generate(IDS)
    return SigningKeys.of(new.session + keys.session, new.refresh + keys.refresh)


def minted(tokens: Tokens, clock: ManualClock, family: str) -> str:
    now = int(clock.wall())
    return tokens.mint(Subject("id", "ada", family, {}, now), tokens.terms(now, now + 60)).token


class Watched:
    """A key file, the tokens that are signed with it, and the watch between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.file = KeyFile(path)
        self.first = self.file.open(IDS, self.clock.wall())
        self.tasks = TaskOwner("test")
        self.watch = KeyWatch(self.file, self.first, self.clock, self.tasks)
        self.tokens = Tokens(self.first, LIFETIMES, Revocations(self.clock), self.clock)

    def write(self, content: SigningKeys | bytes) -> None:
        draft = self.path.with_name("draft")
        draft.write_bytes(content if isinstance(content, bytes) else content.document())
        draft.chmod(0o600)
        draft.rename(self.path)

    def token(self) -> str:
        return minted(self.tokens, self.clock, "family")

    async def look(self) -> list[Any]:
        """Look now, with the loop's timers out of the way; gives what was logged."""
        with capture_logs() as logs:
            await self.watch.look()
        return logs


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(tmp_path / "keys.json")
    # Started as the server does, then kept from looking by itself: each test looks when it says so.
    made.watch.start(made.tokens)
    assert made.watch._timer is not None
    made.watch._timer.cancel()
    await made.tasks.idle()
    yield made
    await made.watch.close()


async def test_a_rotation_is_taken_over_and_told_by_key_ids(watched: Watched) -> None:
    before, keys = watched.token(), rotated(watched.first)
    watched.write(keys)

    logs = await watched.look()

    assert logs == [{"event": "session_keys_loaded", "log_level": "info", **keys.kids()}]
    assert watched.tokens.check_session(before) is not None
    assert watched.token() != before
    assert (watched.watch.loaded, watched.watch.not_loaded) == (1, 0)


async def test_a_key_that_left_the_file_is_refused_though_its_token_was_seen(watched: Watched) -> None:
    token = watched.token()
    assert watched.tokens.check_session(token) is not None
    watched.write(SigningKeys.generate(IDS))

    await watched.look()

    assert watched.tokens.check_session(token) is None


async def test_what_has_not_changed_is_not_told(watched: Watched) -> None:
    watched.write(watched.first)

    assert await watched.look() == []
    assert await watched.look() == []
    assert (watched.watch.loaded, watched.watch.not_loaded) == (0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not a JSON object"),
        (b'{"session": [], "refresh": []}', "session: no keys"),
        (b"", "not a JSON"),
    ],
)
async def test_a_bad_file_changes_nothing_and_is_told_once(
    watched: Watched, content: bytes, reason: str
) -> None:
    token = watched.token()
    watched.write(content)

    (told,) = await watched.look()
    again = [await watched.look() for _ in range(3)]

    assert (told["event"], told["log_level"]) == ("session_keys_not_loaded", "error")
    assert told["reason"].startswith(f"{watched.path}: {reason}")
    assert again == [[], [], []]
    assert watched.tokens.check_session(token) is not None
    assert watched.token() == token
    assert (watched.watch.loaded, watched.watch.not_loaded) == (0, 1)


async def test_each_bad_change_is_told_and_so_is_the_recovery(watched: Watched) -> None:
    events = []
    for content in (b"{", b"{ ", watched.first, watched.first):
        watched.write(content)
        events += [log["event"] for log in await watched.look()]

    assert events == ["session_keys_not_loaded", "session_keys_not_loaded", "session_keys_loaded"]
    assert (watched.watch.loaded, watched.watch.not_loaded) == (1, 2)


async def test_a_file_that_is_gone_is_told_once_and_found_again(watched: Watched) -> None:
    token = watched.token()
    watched.path.unlink()

    gone = [await watched.look() for _ in range(2)]
    keys = rotated(watched.first)
    watched.write(keys)
    back = await watched.look()

    assert [[log["event"] for log in logs] for logs in gone] == [["session_keys_not_loaded"], []]
    assert [log["event"] for log in back] == ["session_keys_loaded"]
    assert watched.tokens.check_session(token) is not None


async def test_rights_that_are_too_wide_are_told_and_their_repair_is_noticed(watched: Watched) -> None:
    keys = rotated(watched.first)
    watched.write(keys)
    watched.path.chmod(0o644)
    wide = await watched.look()

    watched.path.chmod(0o600)
    repaired = await watched.look()

    assert [log["event"] for log in wide] == ["session_keys_not_loaded"]
    assert [log["event"] for log in repaired] == ["session_keys_loaded"]


async def test_a_second_change_within_one_tick_of_the_file_system_is_noticed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [rotated(watched.first) for _ in range(2)]
    states = iter([(1,), (1,), (1,)])
    monkeypatch.setattr(watched.file, "state", lambda: next(states))
    watched.write(keys[0])
    await watched.look()
    watched.write(keys[1])

    await watched.look()

    assert watched.watch.keys == keys[1]


async def test_an_unchanged_file_is_not_read(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    await watched.look()

    def refuse() -> None:
        raise AssertionError("was read")

    monkeypatch.setattr(watched.file, "read", refuse)

    assert await watched.look() == []


async def test_tokens_with_unknown_keys_cause_one_look_a_second(watched: Watched) -> None:
    keys = rotated(watched.first)
    theirs = Tokens(keys, LIFETIMES, Revocations(watched.clock), watched.clock)
    token = minted(theirs, watched.clock, "family")
    watched.write(keys)

    assert watched.tokens.check_session(token) is None
    assert len(watched.tasks) == 1
    await watched.tasks.idle()
    assert watched.tokens.check_session(token) is not None

    stranger = minted(theirs, watched.clock, "other")
    watched.tokens.use_keys(watched.first)
    for _ in range(100):
        assert watched.tokens.check_session(stranger) is None
    assert len(watched.tasks) == 0
    watched.clock.advance(1)
    assert watched.tokens.check_session(stranger) is None
    assert len(watched.tasks) == 1
    await watched.tasks.idle()


async def test_a_mount_that_hangs_holds_neither_the_loop_nor_more_than_one_thread(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []

    def hang() -> FileState:
        asked.append(1)
        answers.wait(10)
        return (1,)

    monkeypatch.setattr(watched.file, "state", hang)

    for _ in range(5):
        watched.watch._tick()
        assert watched.watch._timer is not None
        watched.watch._timer.cancel()
    await until(lambda: bool(asked))
    assert len(watched.tasks) == 1
    answers.set()
    await watched.tasks.idle()

    assert asked == [1]


async def test_it_looks_by_itself_and_stops_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.identity.key_watch.INTERVAL_S", 0.0)
    own = Watched(tmp_path / "keys.json")
    own.watch.start(own.tokens)
    keys = rotated(own.first)
    own.write(keys)

    await until(lambda: own.watch.keys == keys)
    await own.watch.close()

    assert own.watch._timer is not None
    assert own.watch._timer.cancelled()
    assert len(own.tasks) == 0


async def test_keys_of_the_environment_are_not_watched() -> None:
    keys = SigningKeys.generate(IDS)
    session = SessionSettings.model_validate({"keys": keys.document().decode()})
    clock = ManualClock()
    watch = KeyWatch.open(Settings(session=session), clock, IDS)
    tokens = Tokens(keys, LIFETIMES, Revocations(clock), clock)

    watch.start(tokens)
    tokens.on_unknown_key()
    await watch.look()

    assert watch.keys == keys
    assert watch._timer is None
    assert watch._looking is None
    await watch.close()
