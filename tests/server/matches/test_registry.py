"""Every match that the server runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from protocol.messages import MatchDataSend, UserPresence
from server.core.live_match import MatchFilter, NoSuchMatch
from server.matches.pace import Patience
from server.matches.registry import CannotCreate, Rules
from server.runtime import Input, Match, Player
from server.runtime.run import Cause, Limits
from tests.support.live_game import LiveGame
from tests.support.players import ALICE, BOB, NEW_ID

SECRET = "what-a-player-said"


class Counting(Match):
    """Counts, and takes as long for a tick as its parameters say."""

    game: LiveGame

    def init(self, params: Mapping[str, Any]) -> None:
        self.spends = float(params.get("spends", 0))
        self.heard: list[bytes] = []
        self.grace = -1.0
        if params.get("fail"):
            raise ValueError(SECRET)
        if params.get("over"):
            self.dispatcher.end()
        self.dispatcher.set_label({"mode": params.get("mode", "")})

    def join(self, players: Sequence[Player]) -> None:
        self.vars = players[0].vars

    def tick(self, inputs: Sequence[Input]) -> None:
        self.heard += [each.data for each in inputs]
        self.game.clock.advance(self.spends)

    def terminate(self, grace_s: float) -> None:
        self.grace = grace_s
        if grace_s < 5:
            self.dispatcher.end()


class Broken(Counting):
    def __init__(self) -> None:
        raise ValueError(SECRET)


def new_game(**rules: Any) -> LiveGame:
    game = LiveGame(Counting, Broken, rules=Rules(**rules))
    Counting.game = game
    return game


async def test_a_match_ticks_at_its_rate_and_has_what_was_sent_in_time() -> None:
    game = new_game()
    match = game.create(Counting)
    await game.join(ALICE, match)

    game.registry.receive(ALICE, MatchDataSend(match_id=match.match_id, data=b"1"))
    game.registry.receive(
        ALICE, MatchDataSend(match_id=match.match_id.upper().replace("NODE", "node"), data=b"2")
    )
    game.registry.receive(BOB, MatchDataSend(match_id=match.match_id, data=b"3"))
    game.registry.receive(ALICE, MatchDataSend(match_id=match.match_id[1:], data=b"4"))
    game.loop.advance(1.1)

    assert match.run.context.tick == 10
    assert match.run._match.heard == [b"1", b"2"]  # type: ignore[attr-defined]  # the match made above
    assert match.run._match.vars == {"session": ALICE.session_id}  # type: ignore[attr-defined]  # likewise


async def test_a_match_is_found_by_its_label_with_its_size() -> None:
    game = new_game()
    duel, _ = game.create(Counting, mode="duel"), game.create(Counting, mode="race")
    await game.join(ALICE, duel)

    (found,) = await game.registry.find(MatchFilter(10, query="+label.mode:duel"))

    assert (found.match_id, found.size, found.handler_name) == (duel.match_id, 1, "Counting")
    assert await game.registry.find(MatchFilter(10, query="*", min_size=2)) == []
    assert len(await game.registry.find(MatchFilter(10))) == 2


@pytest.mark.parametrize(
    ("kind", "params", "why"),
    [
        ("Nothing", {}, "there is no match 'Nothing'"),
        ("Broken", {}, "Broken failed to begin"),
        ("Counting", {"fail": True}, "Counting failed to begin"),
    ],
)
def test_a_match_that_cannot_begin_leaves_nothing(kind: str, params: dict[str, object], why: str) -> None:
    game = new_game()

    with capture_logs() as logged, pytest.raises(CannotCreate, match=why):
        game.registry.create(kind, params)

    assert len(game.registry) == 0
    assert SECRET not in repr(logged)


async def test_only_so_many_matches_run_at_once() -> None:
    game = new_game(max_matches=2)
    first, _ = game.create(Counting), game.create(Counting)

    with capture_logs() as logged, pytest.raises(CannotCreate, match="too many"):
        game.create(Counting)

    assert [line["event"] for line in logged] == ["matches_full"]
    first.stop(0)
    assert game.create(Counting).match_id in game.registry.matches


def test_a_match_may_be_over_as_soon_as_it_begins() -> None:
    game = new_game()

    game.registry.create("Counting", {"over": True})

    assert len(game.registry) == 0
    assert game.registry.ended_by[Cause.FINISHED] == 1


async def test_a_match_that_is_over_is_no_more() -> None:
    game = new_game()
    match = game.create(Counting)
    await game.join(ALICE, match)

    match.stop(0)

    assert list(game.presences.members(match.stream)) == []
    with pytest.raises(NoSuchMatch):
        await game.registry.join(BOB, match.match_id, {})
    with pytest.raises(NoSuchMatch):
        game.registry.label(match.match_id)
    with pytest.raises(NoSuchMatch):
        game.registry.get(match.match_id)
    with pytest.raises(NoSuchMatch):
        game.registry.signal(match.match_id, "")
    game.loop.advance(1.0)
    assert match.run.context.tick == 0


async def test_a_match_that_nobody_is_in_ends_after_a_time() -> None:
    game = new_game(limits=Limits(empty_s=2.0))
    match = game.create(Counting)
    await game.join(ALICE, match)

    game.loop.advance(10)
    game.leave(ALICE, match)
    game.loop.advance(1.9)
    assert len(game.registry) == 1
    game.loop.advance(0.2)

    assert game.registry.ended_by[Cause.EMPTY] == 1


async def test_a_match_that_is_too_slow_for_too_long_is_ended_and_its_players_told() -> None:
    game = new_game(patience=Patience(overload_s=3.0))
    slow, fast = game.create(Counting, spends=0.2), game.create(Counting)
    await game.join(ALICE, slow)

    with capture_logs() as logged:
        game.loop.advance(10)

    assert game.overloaded == [(slow.match_id, (ALICE.session_id,))]
    assert game.registry.ended_by[Cause.OVERLOADED] == 1
    events = [line["event"] for line in logged if line["match_id"] == slow.match_id]
    assert events == ["match_too_slow", "match_ended"]
    assert list(game.registry.matches) == [fast.match_id]
    # Slowed to half of the loop: a tick each 0.4 s, and given up after three.
    assert slow.run.context.tick == pytest.approx(8, abs=1)


async def test_when_the_server_stops_matches_are_told_and_none_begins() -> None:
    game = new_game()
    match = game.create(Counting)
    over: list[int] = []
    game.registry.on_empty = lambda: over.append(1)

    game.registry.stop_all(5.0)

    assert match.run._match.grace == 5.0  # type: ignore[attr-defined]  # the match made above
    with pytest.raises(CannotCreate, match="stops"):
        game.create(Counting)
    assert over == []
    game.registry.close()
    assert (over, len(game.registry)) == ([1], 0)


class Kept(Counting):
    """Can go on after a restart."""

    def tick(self, inputs: Sequence[Input]) -> None:
        self.ticks = getattr(self, "ticks", 0) + 1

    def snapshot(self) -> Any:
        return self.bad if hasattr(self, "bad") else {"ticks": self.ticks}

    def restore(self, state: Any) -> None:
        self.ticks = state["ticks"]
        self.dispatcher.set_label({"ticks": self.ticks})


def restarted(game: LiveGame, *kinds: type[Match]) -> LiveGame:
    """Another server on the same shelf."""
    later = LiveGame(*kinds)
    later.shelf.kept = game.shelf.kept
    return later


async def test_a_match_is_kept_every_so_many_ticks_and_goes_on_after_a_crash() -> None:
    game = LiveGame(Kept, rules=Rules(keep_every=5))
    match = game.create(Kept)
    await game.join(ALICE, match)
    game.run_to(match, 17)
    await game.tasks.idle()

    later = restarted(game, Kept)
    later.registry.restore(await later.keeper.load(0))

    (again,) = later.registry.matches.values()
    assert again.match_id == match.match_id
    assert again.run.context.tick == 15
    assert later.registry.get(again.match_id).label == '{"ticks":15}'
    later.loop.advance(1.1)
    assert again.run.context.tick == 25
    await later.join(ALICE, again)
    later.loop.turn()
    assert dict(again.run.away) == {}
    assert later.registry.restored == 1


async def test_when_the_server_stops_what_can_be_kept_is_and_the_rest_has_its_grace() -> None:
    game = LiveGame(Kept, Counting)
    Counting.game = game
    kept, other = game.create(Kept), game.create(Counting)
    game.loop.advance(0.35)

    game.registry.stop_all(60)
    await game.tasks.idle()

    assert list(game.registry.matches) == [other.match_id]
    assert list(game.shelf.kept) == [kept.match_id]
    assert other.run._match.grace == 60  # type: ignore[attr-defined]  # the match made above


async def test_a_match_that_is_over_is_not_taken_up_again() -> None:
    game = LiveGame(Kept, rules=Rules(keep_every=1, limits=Limits(empty_s=1.0)))
    game.create(Kept)

    game.loop.advance(0.5)
    await game.tasks.idle()
    assert len(game.shelf.kept) == 1
    game.loop.advance(1.0)
    await game.tasks.idle()

    assert game.shelf.kept == {}


async def test_a_match_that_cannot_be_taken_up_is_told_and_stays_kept() -> None:
    class Changed(Kept):
        def restore(self, state: Any) -> None:
            raise KeyError(SECRET)

    Changed.__name__ = "Kept"
    game = LiveGame(Kept, rules=Rules(keep_every=1))
    game.run_to(game.create(Kept), 1)
    await game.tasks.idle()

    for kinds in ((Changed,), ()):
        later = restarted(game, *kinds)
        with capture_logs() as logged:
            later.registry.restore(await later.keeper.load(0))

        assert [line["event"] for line in logged] == ["match_not_restored"]
        assert SECRET not in repr(logged)
        assert (len(later.registry), len(game.shelf.kept)) == (0, 1)
        assert await later.registry.find(MatchFilter(10)) == []


async def test_a_match_that_fails_to_say_what_it_is_plays_on_and_is_told_once() -> None:
    game = LiveGame(Kept, rules=Rules(keep_every=1))
    match = game.create(Kept)
    match.run._match.bad = object()  # type: ignore[attr-defined]  # the match made above

    with capture_logs() as logged:
        game.run_to(match, 10)
    await game.tasks.idle()

    assert [line["event"] for line in logged] == ["match_not_kept"]
    assert (match.run.context.tick, game.shelf.kept) == (10, {})


async def test_other_code_takes_over_where_it_can() -> None:
    class Newer(Kept):
        def tick(self, inputs: Sequence[Input]) -> None:
            self.ticks += 100

    game = LiveGame(Kept, Counting)
    Counting.game = game
    kept, plain = game.create(Kept), game.create(Counting)
    game.run_to(kept, 1)
    game.run_to(plain, 1)
    before = kept.run._match.ticks  # type: ignore[attr-defined]  # the match made above

    with capture_logs() as logged:
        game.registry.replace({"Kept": Newer, "Counting": type("Counting", (Counting,), {})})
        game.registry.replace({"Kept": Newer})
    game.loop.advance(0.1)

    assert kept.run._match.ticks == before + 100  # type: ignore[attr-defined]  # the match made above
    assert [(line["event"], line["match_id"]) for line in logged] == [("match_runs_old_code", plain.match_id)]
    assert plain.run.context.tick >= 2


async def test_who_drops_has_their_seat_again_without_being_asked() -> None:
    game = new_game(limits=Limits(reconnect_s=10))
    match = game.create(Counting)
    await game.join(ALICE, match)
    game.loop.turn()

    game.performed += game.members.close(ALICE)
    game.loop.advance(5)
    assert list(match.run.away) == [ALICE.session_id]
    await game.join(BOB, match)
    again = UserPresence(user_id=ALICE.user_id, session_id=NEW_ID, username="alice")
    await game.join(again, match)
    game.loop.turn()

    assert list(match.run.players) == [NEW_ID, BOB.session_id]
    assert list(match.run.away) == []


async def test_a_seat_is_given_to_one_socket_only() -> None:
    game = new_game(limits=Limits(reconnect_s=10))
    match = game.create(Counting)
    await game.join(ALICE, match)
    game.loop.turn()
    game.performed += game.members.close(ALICE)
    game.loop.turn()

    sockets = [UserPresence(user_id=ALICE.user_id, session_id=each, username="alice") for each in ("1", "2")]
    for socket in sockets:
        await game.join(socket, match)
    game.loop.turn()

    assert list(match.run.players) == ["1", "2"]
    assert list(game.presences.members(match.stream)) == ["1", "2"]
