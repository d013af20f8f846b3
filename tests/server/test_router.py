"""From a payload to effects, and from failures to answers."""

from typing import Any

import pytest

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.errors import ErrorCode, RequestError
from protocol.message import Message
from protocol.messages import (
    INCOMING,
    Error,
    MatchDataSend,
    Ping,
    Pong,
    StatusFollow,
    UserPresence,
)
from server.effects import Disconnect, Effects, Reply
from server.message_limits import CLASSES, MessageLimits
from server.router import NoHooks, Pending, Router
from server.routes import Handler
from server.world import World
from tests.support.players import ALICE
from tests.support.world import empty_world

GONE = Disconnect(ALICE.session_id, CloseReason.UNPROCESSABLE)


def fine(_world: World, _me: UserPresence, _message: Message) -> Effects:
    return [Reply(Pong())]


def router(**handlers: Handler) -> Router:
    """All messages are handled by `fine`, except those given by class name."""
    table: dict[type[Message], Handler] = {
        message: handlers.get(message.__name__, fine) for message in INCOMING.values()
    }
    return Router(empty_world(), table)


def finished(answer: tuple[str, Any]) -> tuple[str, Effects]:
    cid, effects = answer
    assert isinstance(effects, list)
    return cid, effects


def test_a_message_reaches_its_handler_and_is_counted() -> None:
    routes = router()

    assert finished(routes.answer(ALICE, b'{"cid":"7","ping":{}}')) == ("7", [Reply(Pong())])

    assert routes.handled[Ping] == 1


def test_a_refusal_is_an_error_under_the_cid() -> None:
    def refuse(*_: object) -> Effects:
        raise RequestError(ErrorCode.MATCH_NOT_FOUND, "Match not found")

    routes = router(Ping=refuse)

    assert finished(routes.answer(ALICE, b'{"cid":"7","ping":{}}')) == (
        "7",
        [Reply(Error(code=4, message="Match not found"))],
    )
    assert routes.refused[4] == 1


def test_a_refusal_may_leave_the_cid_out() -> None:
    def refuse(*_: object) -> Effects:
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid match ID", keep_cid=False)

    cid, _ = finished(router(MatchDataSend=refuse).answer(ALICE, b'{"cid":"7","match_data_send":{}}'))

    assert MatchDataSend is INCOMING["match_data_send"]
    assert cid == ""


@pytest.mark.parametrize(
    ("payload", "cid", "effects"),
    [
        (b"hello", "", [Disconnect(ALICE.session_id, CloseReason.MALFORMED)]),
        (b'{"cid":"7","ping":{"x":1}}', "", [Disconnect(ALICE.session_id, CloseReason.MALFORMED)]),
        (b'{"cid":"7"}', "7", [Reply(Error(code=2, message="Missing message.")), GONE]),
        (b'{"cid":"7","error":{}}', "7", [Reply(Error(code=1, message="Unrecognized message.")), GONE]),
    ],
)
def test_what_cannot_be_served_is_told_why_and_ended(payload: bytes, cid: str, effects: Effects) -> None:
    assert finished(router().answer(ALICE, payload)) == (cid, effects)


def test_a_bug_is_answered_without_detail_and_the_session_lives() -> None:
    def fail(*_: object) -> Effects:
        raise ZeroDivisionError("secret detail")

    assert finished(router(Ping=fail).answer(ALICE, b'{"cid":"7","ping":{}}')) == (
        "7",
        [Reply(Error(code=0, message="Internal error"))],
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, Reply(Pong())),
        (RequestError(ErrorCode.BAD_INPUT, "no"), Reply(Error(code=3, message="no"))),
        (RuntimeError("secret detail"), Reply(Error(code=0, message="Internal error"))),
    ],
)
async def test_a_handler_that_awaits_ends_the_same_ways(error: Exception | None, told: Reply) -> None:
    async def later(*_: object) -> Effects:
        if error is not None:
            raise error
        return [Reply(Pong())]

    cid, work = router(StatusFollow=later).answer(ALICE, b'{"cid":"7","status_follow":{}}')

    assert StatusFollow is INCOMING["status_follow"]
    assert isinstance(work, Pending)
    assert (cid, await work.finish()) == ("7", [told])


def test_every_incoming_message_needs_a_handler() -> None:
    with pytest.raises(ValueError, match=r"without a handler: .*Ping"):
        Router(empty_world(), {})


def test_a_message_that_comes_too_often_is_refused_before_its_handler_and_its_hooks() -> None:
    limits = MessageLimits(dict.fromkeys(CLASSES, 1), now=lambda: 0.0)
    hooks = NoHooks()
    hooks.messages = {StatusFollow}
    routes = Router(empty_world(), dict.fromkeys(INCOMING.values(), fine), hooks, limits)

    first = routes.answer(ALICE, b'{"cid":"1","status_follow":{}}')
    _, (second,) = finished(routes.answer(ALICE, b'{"cid":"2","status_follow":{}}'))

    assert isinstance(first[1], Pending)
    first[1].close()
    assert isinstance(second, Reply)
    assert isinstance(second.message, Error)
    assert routes.refused == {3: 1}


def test_what_is_not_to_be_handled_is_answered_under_its_cid() -> None:
    routes = router()

    assert routes.refuse(ALICE, b'{"cid":"7","ping":{}}', Format.JSON, "no") == (
        "7",
        [Reply(Error(code=3, message="no"))],
    )
    assert routes.refuse(ALICE, b"[", Format.JSON, "no")[1] == [
        Disconnect(ALICE.session_id, CloseReason.MALFORMED)
    ]
    assert not routes.handled
