"""What games of the reference server do, in one place: the SDK's stories call it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from server.runtime import (
    Caller,
    FunctionError,
    Input,
    Match,
    Player,
    Stream,
    after,
    before,
    matchmaker_matched,
    rpc,
    server,
    session_end,
    session_start,
)
from server.runtime.messages import ChannelMessageSend, MatchmakerUser, Message, StatusUpdate

NEWS = Stream(100, label="news")


class Echo(Match):
    """Sends everything back to everybody, with its sender."""

    tick_rate = 30

    def init(self, params: Mapping[str, Any]) -> None:
        self.dispatcher.set_label({"kind": "echo", **params})

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        return metadata.get("no", True)

    def join(self, players: Sequence[Player]) -> None:
        for player in players:
            self.dispatcher.broadcast(1, f"welcome {player.username}", to=[player])

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            match each.data:
                case b"kick me":
                    self.dispatcher.kick([each.player])
                case b"end":
                    self.dispatcher.end()
                case b"fail":
                    raise RuntimeError(each.data)
                case b"burst":
                    for number in range(2, 7):
                        self.dispatcher.broadcast(number, str(number), deferred=number == 2)
                case b"later":
                    self.dispatcher.spawn(tell_later, each.player.user_id)
                case data:
                    self.dispatcher.broadcast(each.op_code, data, sender=each.player)

    def signal(self, data: str) -> str:
        return f"{len(self.players)} heard {data}"


async def tell_later(user_id: str) -> None:
    await server.notify(user_id, "later", {"from": "a match"}, code=7)


@rpc
def echo(caller: Caller, payload: str) -> str:
    # A call by GET has no body: what it says is in the query.
    return payload or caller.query.get("payload", ("",))[0]


@rpc("whoami")
async def who_am_i(caller: Caller, payload: str) -> dict[str, str]:
    return {"user_id": caller.user_id, "username": caller.username, "said": payload}


@rpc
async def fail(caller: Caller, payload: str) -> str:
    raise FunctionError("not now", 10)


@rpc
async def crash(caller: Caller, payload: str) -> str:
    raise KeyError(payload)


@rpc
async def notify(caller: Caller, payload: str) -> None:
    await server.notify(caller.user_id, "hello", {"said": payload}, code=42, persistent=True)


@rpc
async def join_stream(caller: Caller, payload: str) -> None:
    await server.stream_join(NEWS, caller.session_id)
    await server.stream_send(NEWS, f"{caller.username} is here")


@rpc
async def stream_members(caller: Caller, payload: str) -> list[str]:
    return [each.username for each in await server.stream_members(NEWS)]


@rpc
async def create_match(caller: Caller, payload: str) -> dict[str, str]:
    params = json.loads(payload) if payload else {}
    return {"match_id": await server.create_match(Echo, params)}


@rpc
async def find_matches(caller: Caller, payload: str) -> list[str]:
    return [each.match_id for each in await server.list_matches(payload)]


@rpc
async def signal(caller: Caller, payload: str) -> str:
    asked = json.loads(payload)
    return await server.signal(asked["match_id"], asked["data"])


@rpc
async def disconnect(caller: Caller, payload: str) -> bool:
    return await server.disconnect(caller.session_id)


@before(StatusUpdate)
def check_status(caller: Caller, message: StatusUpdate) -> StatusUpdate | None:
    if message.status == "rude":
        raise FunctionError("Mind your words")
    if message.status == "forbidden":
        return None
    return StatusUpdate(status=message.status and message.status.upper())


@after(ChannelMessageSend)
async def count_words(caller: Caller, message: ChannelMessageSend, reply: Message | None) -> None:
    await server.notify(caller.user_id, "counted", {"bytes": len(message.content)}, code=8)


@matchmaker_matched
async def make_match(users: Sequence[MatchmakerUser]) -> str | None:
    if any(user.string_properties.get("relayed") for user in users):
        return None
    return await server.create_match(Echo, {"made_for": len(users)})


@session_start
async def greet(caller: Caller) -> None:
    await server.notify(caller.user_id, "welcome", {"name": caller.username}, code=9)


GONE: list[tuple[str, str]] = []


@session_end
def remember(caller: Caller, reason: str) -> None:
    GONE.append((caller.username, reason))
