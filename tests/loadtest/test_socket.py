"""One socket's socket on a fake transport: what is sent, and what is made of what comes."""

import asyncio
import base64
import hashlib
import json
from random import Random
from typing import Any

import pytest

from loadtest.failures import SwarmError
from loadtest.socket import LOOK_S, MAX_FRAME_BYTES, MAX_PENDING, Heard, Listener, Socket, State
from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, build, extent
from protocol.message import Message
from protocol.messages import Match, MatchCreate, MatchData, MatchmakerTicket, Ping, Pong

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None

    def close(self) -> None:
        self.ended = True

    abort = close

    def frames(self) -> list[tuple[int, bytes]]:
        """What was sent since the last look, unmasked by hand; every frame must be masked."""
        found, at = [], 0
        while at < len(self.written):
            start, end = extent(self.written, at)
            assert self.written[at + 1] & 0x80
            key = self.written[start - 4 : start]
            payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(self.written[start:end]))
            found.append((self.written[at], payload))
            at = end
        self.written = b""
        return found


class Ear(Listener):
    """Keeps what is heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[Message, int]] = []
        self.stray: list[Message | None] = []
        self.dropped: list[str] = []

    def on_message(self, socket: Socket, message: Message, at_ns: int) -> None:
        self.heard.append((message, at_ns))

    def on_stray_reply(self, socket: Socket, message: Message | None) -> None:
        self.stray.append(message)

    def on_dropped(self, socket: Socket, reason: str) -> None:
        self.dropped.append(reason)


class Scene:
    """A socket whose socket is open."""

    def __init__(self, *, opened: bool = True) -> None:
        self.ear, self.wire, self.now_ns = Ear(), Wire(), 0
        self.socket = Socket(self.ear, ("h:1", "/ws?token=t"), Random(1), lambda: self.now_ns)
        self.socket.connection_made(self.wire)
        self.request, self.wire.written = self.wire.written.decode(), b""
        if opened:
            self.socket.data_received(self.answer())

    def answer(self) -> bytes:
        key = next(line for line in self.request.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
        digest = hashlib.sha1((key.split(": ")[1] + GUID).encode()).digest()
        accept = base64.b64encode(digest).decode()
        return f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()

    def told(self, envelope: dict[str, Any]) -> bytes:
        return build(FIN_TEXT, json.dumps(envelope).encode())


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_the_socket_opens_with_the_handshake() -> None:
    scene = Scene(opened=False)
    assert scene.request.startswith("GET /ws?token=t HTTP/1.1\r\nHost: h:1\r\n")
    assert not scene.socket.opened.done()

    scene.socket.data_received(scene.answer())

    await scene.socket.opened
    assert scene.socket.state is State.OPEN


async def test_bytes_may_come_one_by_one() -> None:
    scene = Scene(opened=False)
    data = {"match_data": {"match_id": "m.", "op_code": "1", "data": "AA=="}}

    for byte in scene.answer() + scene.told(data) + build(FIN_PING, b"hi") + scene.told(data):
        scene.socket.data_received(bytes([byte]))

    message = MatchData(match_id="m.", op_code=1, data=b"\x00")
    assert [heard for heard, _ in scene.ear.heard] == [message, message]
    assert scene.wire.frames() == [(FIN_PONG, b"hi")]


async def test_many_frames_may_come_at_once_and_share_their_time(scene: Scene) -> None:
    scene.now_ns = 77

    scene.socket.data_received(scene.told({"match_data": {}}) * 3 + scene.told({"match_data": {}})[:5])

    assert scene.ear.heard == [(MatchData(), 77)] * 3


async def test_a_long_message_is_read(scene: Scene) -> None:
    data = base64.b64encode(bytes(100_000)).decode()

    scene.socket.data_received(scene.told({"match_data": {"data": data}}))

    assert scene.ear.heard[0][0] == MatchData(data=bytes(100_000))


async def test_a_reply_finds_its_request(scene: Scene) -> None:
    asking = asyncio.gather(scene.socket.ask(MatchCreate(name="a")), scene.socket.ask(MatchCreate(name="b")))
    await asyncio.sleep(0)
    sent = [json.loads(payload) for _, payload in scene.wire.frames()]
    assert [envelope["cid"] for envelope in sent] == ["1", "2"]

    scene.socket.data_received(scene.told({"cid": "2", "match": {"match_id": "b."}}))
    scene.socket.data_received(scene.told({"cid": "1", "match": {"match_id": "a."}}))

    assert tuple(await asking) == (Match(match_id="a."), Match(match_id="b."))
    assert scene.ear.heard == []


async def test_a_refusal_is_raised(scene: Scene) -> None:
    asking = asyncio.gather(scene.socket.ask(MatchCreate()))
    await asyncio.sleep(0)

    scene.socket.data_received(scene.told({"cid": "1", "error": {"code": 3, "message": "Invalid match ID"}}))

    with pytest.raises(SwarmError, match="BAD_INPUT, Invalid match ID"):
        await asking


async def test_no_reply_in_time_is_raised(scene: Scene) -> None:
    with pytest.raises(SwarmError, match="no reply to MatchCreate in 0 s"):
        await scene.socket.ask(MatchCreate(), within_s=0)


def keep(found: list[object]) -> Heard:
    def heard(message: Message | None, error: SwarmError | None, at_ns: int) -> None:
        found.append(message if error is None else str(error))

    return heard


async def test_what_is_answered_in_time_is_waited_for(scene: Scene) -> None:
    found: list[object] = []
    scene.socket.request(Ping(), keep(found))
    scene.socket.request(Ping(), keep(found))

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(scene.socket.answered(1))
        await asyncio.sleep(0)
        scene.socket.data_received(scene.told({"cid": "1", "pong": {}}))
        await asyncio.sleep(LOOK_S * 2)
        assert not waiting.done()
        scene.socket.data_received(scene.told({"cid": "2", "pong": {}}))

    assert found == [Pong(), Pong()]


async def test_what_is_not_answered_in_time_is_told(scene: Scene) -> None:
    found: list[object] = []
    scene.socket.request(Ping(), keep(found))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.socket.answered(5))
        await asyncio.sleep(0)
        scene.now_ns = 5_000_000_000

    assert found == ["requests without a reply for 5 s"]


async def test_more_requests_than_can_be_kept_are_told_and_not_forgotten(scene: Scene) -> None:
    found: list[object] = []
    for _ in range(MAX_PENDING):
        scene.socket.request(Ping(), keep(found))
    assert found == []

    scene.socket.request(Ping(), keep(found))

    assert found == ["more than 10,000 requests of one player without a reply"]


async def test_a_second_reply_is_told(scene: Scene) -> None:
    found: list[object] = []
    scene.socket.request(Ping(), keep(found))

    scene.socket.data_received(scene.told({"cid": "1", "pong": {}}) * 2)

    assert (found, scene.ear.stray, scene.ear.heard) == ([Pong()], [Pong()], [])


async def test_a_request_fails_at_once_when_the_socket_ends(scene: Scene) -> None:
    asking = asyncio.gather(scene.socket.ask(MatchCreate()))
    await asyncio.sleep(0)

    scene.socket.connection_lost(None)

    with pytest.raises(SwarmError, match="the connection broke"):
        await asking
    with pytest.raises(SwarmError):
        await scene.socket.ask(MatchCreate())


async def test_what_nobody_asked_for_is_heard(scene: Scene) -> None:
    scene.socket.data_received(scene.told({"matchmaker_ticket": {"ticket": "t"}}))

    assert [message for message, _ in scene.ear.heard] == [MatchmakerTicket(ticket="t")]


async def test_a_close_of_the_server_is_answered_and_told_once(scene: Scene) -> None:
    payload = (4001).to_bytes(2) + b"server restarting"

    scene.socket.data_received(build(FIN_CLOSE, payload))
    scene.socket.connection_lost(None)

    assert scene.ear.dropped == ["the server closed with 4001 server restarting"]
    assert scene.wire.frames() == [(FIN_CLOSE, (4001).to_bytes(2))]
    assert scene.socket.closed.done()


async def test_leaving_is_no_drop(scene: Scene) -> None:
    scene.socket.leave()
    assert scene.wire.frames() == [(FIN_CLOSE, (1000).to_bytes(2))]

    scene.socket.data_received(build(FIN_CLOSE, (1000).to_bytes(2)))
    scene.socket.connection_lost(None)

    assert scene.ear.dropped == []
    assert scene.wire.ended


async def test_who_leaves_hears_nothing_more_but_the_close(scene: Scene) -> None:
    scene.socket.leave()

    scene.socket.data_received(scene.told({"match_data": {}}) + build(FIN_TEXT, b"not decoded"))
    scene.socket.data_received(build(FIN_CLOSE, (1000).to_bytes(2)))

    assert scene.ear.heard == []
    assert scene.socket.close_code == 1000
    assert scene.wire.ended


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (build(FIN_TEXT, b"{"), "no message"),
        (build(FIN_TEXT, b"\xff"), "no message"),
        (build(FIN_BINARY, b"{}"), "unknown kind 0x82"),
        (build(0x01, b"{}"), "unknown kind 0x1"),
        (bytes((FIN_TEXT, 127)) + (MAX_FRAME_BYTES + 1).to_bytes(8), "too large"),
    ],
)
async def test_a_server_that_breaks_the_contract_is_dropped(scene: Scene, data: bytes, told: str) -> None:
    scene.socket.data_received(data)

    assert told in scene.ear.dropped[0]
    assert scene.wire.ended


async def test_a_server_that_does_not_read_is_dropped(scene: Scene) -> None:
    scene.socket.pause_writing()

    assert scene.ear.dropped == ["the server reads too slowly"]
    scene.wire.written = b""
    scene.socket.send(MatchCreate())
    assert scene.wire.written == b""


async def test_a_refused_socket_is_raised() -> None:
    scene = Scene(opened=False)

    scene.socket.data_received(b"HTTP/1.1 401 Unauthorized\r\n\r\nMissing or invalid token\n")

    with pytest.raises(SwarmError, match="401"):
        await scene.socket.opened
    assert scene.ear.dropped == []


async def test_an_answer_without_an_end_is_refused() -> None:
    scene = Scene(opened=False)

    scene.socket.data_received(b"HTTP/1.1 101 " + b"x" * 20_000)

    with pytest.raises(SwarmError, match="no end"):
        await scene.socket.opened
