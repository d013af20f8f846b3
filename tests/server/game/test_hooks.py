"""The game's hooks: what they are asked, and what comes of a bad answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from protocol.errors import ProtocolError, RequestError
from protocol.message import Message
from protocol.messages import MatchmakerUser
from server.core.function import Caller, FunctionError
from server.effects import Effects, Reply
from server.game.fence import Fence
from server.game.hooks import GameHooks
from server.runtime.game import Game
from server.runtime.messages import MatchJoin, MatchLeave, StatusUpdate
from server.tasks import TaskOwner
from tests.support.players import ALICE
from tests.support.world import SOCKETS

Made = Callable[[Game], GameHooks]
JOIN = MatchJoin(match_id="m")


@pytest.fixture
async def tasks() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("test")
    yield owner
    await owner.cancel_all()


@pytest.fixture
def make(tasks: TaskOwner) -> Made:
    def build(game: Game) -> GameHooks:
        answers = Fence("hook", TaskOwner("hook"), timeout_s=5, concurrent=10)
        return GameHooks(game, answers, Fence("beside", tasks, timeout_s=5, concurrent=10), SOCKETS.get)

    return build


def replying(message: Message) -> Effects:
    return [Reply(message)]


async def test_a_message_goes_on_as_the_hook_returned_it(make: Made) -> None:
    hooks = make(Game(before={MatchJoin: lambda caller, message: MatchJoin(match_id=caller.username)}))

    assert MatchJoin in hooks.messages
    assert MatchLeave not in hooks.messages
    assert await hooks.around(ALICE, JOIN, replying) == [Reply(MatchJoin(match_id="alice"))]


async def test_the_hook_knows_who_sent_it(make: Made) -> None:
    asked: list[Caller] = []

    def look(caller: Caller, message: MatchJoin) -> MatchJoin:
        asked.append(caller)
        return message

    await make(Game(before={MatchJoin: look})).around(ALICE, JOIN, replying)

    assert (asked[0].session_id, asked[0].session_vars) == (ALICE.session_id, {"role": "admin"})


def refuse(_caller: Caller, _message: Message) -> None:
    raise FunctionError("No")


def fail(_caller: Caller, _message: Message) -> None:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("hook", "code", "text"),
    [
        (refuse, 7, "No"),
        (fail, 7, "Hook failed"),
        (lambda caller, message: StatusUpdate(), 7, "Hook failed"),
        (lambda caller, message: 7, 7, "Hook failed"),
    ],
)
async def test_a_hook_that_refuses_or_fails_ends_the_request(
    make: Made, hook: Any, code: int, text: str
) -> None:
    def handle(message: Message) -> Effects:
        raise AssertionError("not to be handled")

    with pytest.raises(RequestError) as refused:
        await make(Game(before={MatchJoin: hook})).around(ALICE, JOIN, handle)

    assert (refused.value.code, refused.value.message) == (code, text)


async def test_a_message_that_the_hook_disables_closes_the_socket(make: Made) -> None:
    with pytest.raises(ProtocolError) as ended:
        await make(Game(before={MatchJoin: lambda caller, message: None})).around(ALICE, JOIN, replying)

    assert (ended.value.code, ended.value.message) == (1, "Requested resource was not found.")


async def test_after_a_message_its_reply_is_told_and_after_a_refusal_nothing(
    make: Made, tasks: TaskOwner
) -> None:
    told: list[Message | None] = []

    def note(caller: Caller, message: Message, reply: Message | None) -> None:
        told.append(reply)

    async def refused(message: Message) -> Effects:
        raise RequestError(3, "bad")  # type: ignore[arg-type]  # any code will do

    hooks = make(Game(after={MatchJoin: [note]}))

    await hooks.around(ALICE, JOIN, replying)
    with pytest.raises(RequestError):
        await hooks.around(ALICE, JOIN, refused)
    await tasks.idle()

    assert told == [JOIN]


async def test_a_session_that_has_ended_meanwhile_is_not_asked_about(make: Made) -> None:
    hooks = GameHooks(
        Game(before={MatchJoin: fail}),
        Fence("hook", TaskOwner("hook"), timeout_s=5, concurrent=10),
        Fence("beside", TaskOwner("beside"), timeout_s=5, concurrent=10),
        lambda session_id: None,
    )

    assert await hooks.around(ALICE, JOIN, replying) == []


@pytest.mark.parametrize("answer", [None, 7, ""])
async def test_what_is_no_match_id_means_a_relayed_match(make: Made, answer: object) -> None:
    hooks = make(Game(matchmaker_matched=lambda users: answer))

    assert not await hooks.matched([MatchmakerUser()])


async def test_a_hook_that_fails_costs_the_matched_nothing(make: Made) -> None:
    def fail(users: Sequence[MatchmakerUser]) -> str:
        raise KeyError("secret")

    assert await make(Game(matchmaker_matched=fail)).matched([]) is None


class Ended:
    """A session that has ended."""

    presence = ALICE
    close_text = "gone"
    session_vars: Mapping[str, str] = MappingProxyType({"role": "admin"})
    token_exp = 0
    address = ""
    lang = ""


async def test_the_end_of_a_session_is_told_after_its_beginning(make: Made, tasks: TaskOwner) -> None:
    told: list[str] = []
    go_on = asyncio.Event()

    async def started(caller: Caller) -> None:
        await go_on.wait()
        told.append("start")

    def ended(caller: Caller, reason: str) -> None:
        told.append(f"end {reason}")

    def fail(caller: Caller, reason: str) -> None:
        raise KeyError("secret")

    hooks = make(Game(session_start=[started], session_end=[fail, ended]))

    hooks.opened(Ended())
    hooks.ended(Ended())
    go_on.set()
    await tasks.idle()

    assert told == ["start", "end gone"]
