"""What a game's modules offer, and what is wrong with them."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

from server.runtime import Caller, Input, Match, before, matchmaker_matched, rpc, session_start
from server.runtime.game import Game, GameError, collect
from server.runtime.messages import MatchJoin


class Base(Match):
    """Has no tick: a base of others."""


class Duel(Base):
    def tick(self, inputs: Sequence[Input]) -> None: ...


class Hasty(Duel):
    tick_rate = 61


@rpc
async def greet(caller: Caller, payload: str) -> str:
    return payload


@rpc("GREET")
async def greet_louder(caller: Caller, payload: str) -> str:
    return payload


@before(MatchJoin)
def look(caller: Caller, message: MatchJoin) -> MatchJoin:
    return message


def module(name: str, **things: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(things)
    return made


def problems(*modules: ModuleType) -> Sequence[str]:
    with pytest.raises(GameError) as raised:
        collect(modules)
    return raised.value.problems


def test_matches_calls_and_hooks_are_found() -> None:
    game = collect([module("mine", Match=Match, Base=Base, Duel=Duel, greet=greet, look=look, number=7)])

    assert game == Game(matches={"Duel": Duel}, rpcs={"greet": greet}, before={MatchJoin: look})


def test_what_two_modules_import_is_one_thing() -> None:
    game = collect([module("one", Duel=Duel, greet=greet), module("two", D=Duel, g=greet)])

    assert (list(game.matches), list(game.rpcs)) == (["Duel"], ["greet"])


def test_a_name_is_taken_once() -> None:
    other = type("Duel", (Duel,), {})

    assert problems(module("one", Duel=Duel, greet=greet), module("two", Duel=other, g=greet_louder)) == [
        "two: match Duel: there is another one, in tests.server.runtime.test_game",
        "two: @rpc GREET: there is another one, in tests.server.runtime.test_game",
    ]


def test_there_is_one_hook_before_a_message_and_one_for_the_matched() -> None:
    @before(MatchJoin)
    def again(caller: Caller, message: MatchJoin) -> MatchJoin:
        return message

    @matchmaker_matched
    def first(users: object) -> None: ...

    @matchmaker_matched
    def second(users: object) -> None: ...

    told = problems(module("mine", look=look, again=again, first=first, second=second))

    assert [line.split(": there")[0] for line in told] == [
        "mine: @before match_join",
        "mine: @matchmaker_matched second",
    ]


def test_several_may_be_told_of_a_session() -> None:
    @session_start
    def first(caller: Caller) -> None: ...

    @session_start
    def second(caller: Caller) -> None: ...

    assert collect([module("mine", a=first, b=second)]).session_start == [first, second]


@pytest.mark.parametrize("rate", [0, 61, -1, 2.5, True, "10", None])
def test_a_tick_rate_that_is_none_is_told(rate: object) -> None:
    wrong = type("Wrong", (Duel,), {"tick_rate": rate})

    assert problems(module("mine", wrong=wrong)) == ["mine: Wrong.tick_rate must be 1..60"]


@pytest.mark.parametrize("name", ["", "session_refresh", "Session_Refresh"])
def test_a_name_that_is_the_servers_is_told(name: str) -> None:
    async def function(caller: Caller, payload: str) -> str:
        return payload

    assert "not a name for a remote call" in problems(module("mine", f=rpc(name)(function)))[0]
