"""The machine around a match: members, inputs, the fence around its code, and its end."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from server.runtime import Context, Input, Match, Player
from server.runtime.dispatcher import Broadcast, Kick, Output
from server.runtime.guard import CallbackTimeout, MemoryLimit, Stopped, Subject, guard_of, subject_of
from server.runtime.run import Cause, Limits, MatchRun
from server.runtime.snapshot import SnapshotError

ALICE, BOB = Player("a", "session-a", "alice"), Player("b", "session-b", "bob")
NOW = 1_800_000_000.0


class Diary(Match):
    """Writes down what happens, and does what it is told by name."""

    tick_rate = 4

    def __init__(self) -> None:
        self.happened: list[Any] = []
        self.acts: dict[str, Any] = {}

    def init(self, params: Mapping[str, Any]) -> None:
        self._act("init", dict(params))

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        answer = self._act("join_attempt", player.username)
        return True if answer is None else answer

    def join(self, players: Sequence[Player]) -> None:
        self._act("join", *(each.username for each in players))

    def leave(self, players: Sequence[Player]) -> None:
        self._act("leave", *(each.username for each in players))

    def tick(self, inputs: Sequence[Input]) -> None:
        self._act("tick", [(each.player.username, each.data, each.received_at) for each in inputs])

    def signal(self, data: str) -> str:
        answer = self._act("signal", data)
        return "heard" if answer is None else answer

    def terminate(self, grace_s: float) -> None:
        self._act("terminate", grace_s)

    def _act(self, name: str, *what: Any) -> Any:
        self.happened.append((name, *what))
        return self.acts[name]() if name in self.acts else None


def begun(limits: Limits | None = None, **acts: Any) -> tuple[Diary, MatchRun]:
    diary = Diary()
    diary.acts = acts
    live = MatchRun(diary, Context("match.node", "node", diary.tick_rate, seed=1), limits or Limits())
    live.begin({"mode": "duel"}, NOW)
    return diary, live


def raising() -> None:
    raise RuntimeError("a bug of the game")


def test_callbacks_come_in_order_with_the_time_they_were_due() -> None:
    diary, live = begun()

    verdict, _ = live.ask(ALICE, {}, NOW)
    live.enter(ALICE, NOW)
    live.take("session-a", 1, b"hi", reliable=True, now=NOW + 0.1)
    live.step(NOW + 0.25)
    live.leave(["session-a"], NOW + 0.3)
    live.step(NOW + 0.5)

    assert verdict.allowed
    assert diary.happened == [
        ("init", {"mode": "duel"}),
        ("join_attempt", "alice"),
        ("join", "alice"),
        ("tick", [("alice", b"hi", NOW + 0.1)]),
        ("leave", "alice"),
        ("tick", []),
    ]
    assert (live.context.tick, live.context.elapsed, live.context.dt) == (2, 0.5, 0.25)


def test_a_member_is_in_players_when_join_runs_and_not_when_leave_does() -> None:
    seen: list[list[str]] = []
    diary, live = begun()
    diary.acts = dict.fromkeys(
        ("join", "leave"), lambda: seen.append([p.username for p in diary.players.values()])
    )

    live.enter(ALICE, NOW)
    live.enter(BOB, NOW)
    live.leave(["session-a", "unknown"], NOW)

    assert seen == [["alice"], ["alice", "bob"], ["bob"]]


@pytest.mark.parametrize(
    ("answer", "allowed", "reason"),
    [
        (True, True, ""),
        (False, False, "Match join rejected"),
        ("full", False, "full"),
        ("", False, "Match join rejected"),
    ],
)
def test_a_match_says_who_may_come_in(answer: Any, allowed: bool, reason: str) -> None:
    _, live = begun(join_attempt=lambda: answer)

    verdict, _ = live.ask(ALICE, {}, NOW)

    assert (verdict.allowed, verdict.reason) == (allowed, reason)
    assert not live.players


def test_nobody_gets_in_by_a_fault() -> None:
    _, live = begun(join_attempt=raising)

    verdict, _ = live.ask(ALICE, {}, NOW)

    assert not verdict.allowed
    assert live.cause is Cause.FAILED


def test_inputs_are_bounded_and_strangers_unheard() -> None:
    diary, live = begun(Limits(inputs=2))
    live.enter(ALICE, NOW)

    kept = [live.take("session-a", 1, b"%d" % n, reliable=True, now=NOW) for n in range(3)]
    stranger = live.take("session-b", 1, b"", reliable=True, now=NOW)
    live.step(NOW)

    assert (kept, stranger, live.dropped) == ([True, True, False], False, 1)
    assert diary.happened[-1] == ("tick", [("alice", b"0", NOW), ("alice", b"1", NOW)])
    assert live.take("session-a", 1, b"", reliable=True, now=NOW)


def test_data_reaches_members_only() -> None:
    diary, live = begun()
    live.enter(ALICE, NOW)
    diary.acts["tick"] = lambda: diary.dispatcher.broadcast(1, to=[ALICE, BOB])

    said = live.step(NOW)

    assert said == [Broadcast(1, b"", ("session-a",))]


def test_who_is_kicked_is_gone_before_the_next_word() -> None:
    diary, live = begun()
    live.enter(ALICE, NOW)
    live.enter(BOB, NOW)

    def kick() -> None:
        diary.dispatcher.kick([ALICE, ALICE])
        diary.dispatcher.broadcast(1, to=[ALICE, BOB])

    diary.acts["tick"] = kick
    diary.acts["leave"] = lambda: diary.dispatcher.broadcast(2)
    said = live.step(NOW)

    assert said == [Kick(("session-a",)), Broadcast(1, b"", ("session-b",)), Broadcast(2, b"", None)]
    assert diary.happened[-1] == ("leave", "alice")


def test_a_match_that_says_so_is_over_after_its_last_word() -> None:
    diary, live = begun()

    def finish() -> None:
        diary.dispatcher.end()
        diary.dispatcher.broadcast(1, deferred=True)

    diary.acts["tick"] = finish
    said = live.step(NOW)

    assert said == [Broadcast(1, b"", None)]
    assert live.cause is Cause.FINISHED
    assert live.error is None


FAULTS = {
    "init": lambda live: live.begin({}, NOW),
    "join": lambda live: live.enter(ALICE, NOW),
    "leave": lambda live: live.leave(["session-b"], NOW),
    "tick": lambda live: live.step(NOW),
    "signal": lambda live: live.signal("x", NOW)[1],
    "terminate": lambda live: live.stop(5, NOW),
}


@pytest.mark.parametrize("callback", FAULTS)
@pytest.mark.parametrize("returned", [None, 7], ids=["raises", "returns garbage"])
def test_a_fault_ends_the_match_and_is_told_nobody(callback: str, returned: Any) -> None:
    diary, live = begun()
    live.enter(BOB, NOW)

    def faulty(*_: object) -> Any:
        diary.dispatcher.broadcast(1)
        if returned is None:
            raise RuntimeError("a bug of the game")
        return returned

    setattr(diary, callback, faulty)
    said: Sequence[Output] = FAULTS[callback](live)

    assert said == []
    assert live.cause is Cause.FAILED
    assert type(live.error) is (RuntimeError if returned is None else TypeError)


def test_a_match_that_everybody_left_ends_after_a_while() -> None:
    _, live = begun(Limits(empty_s=1))  # four ticks
    live.enter(ALICE, NOW)
    for _ in range(5):
        live.step(NOW)
    live.leave(["session-a"], NOW)

    causes = [(live.step(NOW), live.cause)[1] for _ in range(4)]

    assert causes == [None, None, None, Cause.EMPTY]


def test_without_that_limit_an_empty_match_goes_on() -> None:
    _, live = begun()

    for _ in range(1000):
        live.step(NOW)

    assert live.cause is None


@pytest.mark.parametrize("rate", [0, 61, -1])
def test_a_tick_rate_is_1_to_60(rate: int) -> None:
    live = MatchRun(Diary(), Context("match.node", "node", rate, seed=1), Limits())

    with pytest.raises(ValueError, match=r"1\.\.60"):
        live.begin({}, NOW)


def test_a_stop_without_grace_asks_the_match_nothing() -> None:
    diary, live = begun()

    live.stop(0, NOW)

    assert live.cause is Cause.STOPPED
    assert diary.happened == [("init", {"mode": "duel"})]


def test_the_same_seed_is_the_same_chance() -> None:
    first, second, other = (Context("m.n", "n", 10, seed).random.random() for seed in (5, 5, 6))

    assert first == second != other


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, MemoryError, CallbackTimeout])
def test_whatever_comes_out_of_a_callback_stays_in_the_match(error: type[BaseException]) -> None:
    diary, live = begun()

    def faulty(_: object) -> None:
        raise error

    setattr(diary, "tick", faulty)  # noqa: B010  # mypy lets nobody assign a method

    assert live.step(NOW) == []
    assert live.cause is Cause.FAILED
    assert type(live.error) is error


def test_a_match_that_was_stopped_for_its_memory_says_so() -> None:
    diary, live = begun()
    diary.acts["leave"] = stopping(MemoryLimit)
    live.enter(ALICE, NOW)

    live.leave(["session-a"], NOW)

    assert live.cause is Cause.MEMORY


def test_callbacks_run_under_the_guard_of_their_match() -> None:
    diary, live = begun()
    subjects: list[Subject] = []

    def look() -> None:
        guard = guard_of(sys._getframe())
        assert guard is not None
        subjects.append(subject_of(guard))

    diary.acts = dict.fromkeys(("join_attempt", "join", "leave", "tick"), look)
    live.ask(ALICE, {}, NOW)
    live.enter(ALICE, NOW)
    live.step(NOW)
    live.leave(["session-a"], NOW)

    assert subjects == [Subject("Diary", live.context.match_id)] * 4


def test_a_snapshot_that_had_to_be_stopped_ends_the_match() -> None:
    class Endless(Diary):
        def snapshot(self) -> Any:
            raise CallbackTimeout

        def restore(self, state: Any) -> None: ...

    live = MatchRun(Endless(), Context("match.node", "node", 4, seed=1), Limits())
    live.begin({}, NOW)

    with pytest.raises(SnapshotError, match="CallbackTimeout"):
        live.snapshot(NOW)

    assert live.cause is Cause.FAILED


def stopping(error: type[Stopped]) -> Callable[[], None]:
    def stop() -> None:
        raise error

    return stop
