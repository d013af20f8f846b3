"""Marks on functions of a game."""

import pytest

from protocol.messages import MatchData
from server.runtime import (
    Caller,
    after,
    before,
    before_authenticate,
    matchmaker_matched,
    rpc,
    session_end,
    session_start,
)
from server.runtime.hooks import Kind, Mark, marks_of
from server.runtime.messages import MatchJoin, MatchLeave


def greet(caller: Caller, payload: str) -> str:
    return f"{caller.username}: {payload}"


def test_a_marked_function_is_still_the_function() -> None:
    assert rpc(greet)(Caller(username="alice"), "hi") == "alice: hi"


def test_a_remote_call_is_named_by_its_function_or_by_hand() -> None:
    @rpc
    async def plain(caller: Caller, payload: str) -> str:
        return payload

    @rpc("by/hand")
    def other(caller: Caller, payload: str) -> None:
        return None

    assert marks_of(plain) == (Mark(Kind.RPC, "plain"),)
    assert marks_of(other) == (Mark(Kind.RPC, "by/hand"),)


def test_a_function_may_have_several_marks() -> None:
    def look(caller: Caller, message: MatchJoin | MatchLeave) -> None:
        return None

    before(MatchJoin)(look)
    before(MatchLeave)(look)

    assert [mark.message for mark in marks_of(look)] == [MatchJoin, MatchLeave]


def test_each_decorator_says_when() -> None:
    marked = [
        before_authenticate(lambda identity: None),
        matchmaker_matched(lambda users: None),
        session_start(lambda caller: None),
        session_end(lambda caller, reason: None),
        after(MatchJoin)(lambda caller, message, reply: None),
    ]

    assert [marks_of(each)[0].kind for each in marked] == [
        Kind.BEFORE_AUTHENTICATE,
        Kind.MATCHMAKER_MATCHED,
        Kind.SESSION_START,
        Kind.SESSION_END,
        Kind.AFTER,
    ]


def test_what_only_servers_send_has_no_hook() -> None:
    with pytest.raises(ValueError, match="MatchData is no message that clients send"):
        before(MatchData)


@pytest.mark.parametrize("thing", [7, "text", None, greet.__code__, print])
def test_other_things_have_no_marks(thing: object) -> None:
    assert marks_of(thing) == ()
