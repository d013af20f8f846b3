"""Plays the client's side of a recorded case against a running server and keeps what every connection hears.

A recording names what differs from run to run: `{user:ma}`, `{session:A#69}`, `{match:1}`, `{token:ma}`, and
`{jwt:party}` for tokens that sockets are told. A name is bound to what our server says in its place, and has
to stand for the same value from then on; a `{room:1}` is another one in each replay, so that its history is
empty.

Messages in protobuf are written down as the JSON that says the same; what the server says is translated by
the published descriptors, not by the code under test.
"""

import asyncio
import base64
import itertools
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from protocol.envelope import Format, decode, encode
from protocol.errors import ProtocolError
from server.identity import base64url
from server.tasks import TaskOwner
from tests.support.clock import JumpingClock
from tests.support.inprocess import Live
from tests.support.protobuf import from_json, to_json
from tests.support.rawsocket import BINARY, CLOSE, FIN, PING, TEXT, RawSocket

Step = dict[str, Any]
Events = dict[str, list[Step]]

NAME = re.compile(r"\{(user|session|match|id|room|token|refresh|expired|jwt):([^{}\"]+)\}")
BOUND = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|ey[\w-]+\.[\w-]+\.[\w-]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")
TIMES = ("create_time", "update_time")
ROOMS = itertools.count()
BARRIER = "barrier-"
PATIENCE_S = 3.0
"""How long a frame that should come may take; only a failing case waits for it."""
OPCODES = {"text": FIN | TEXT, "binary": FIN | BINARY, "protobuf": FIN | BINARY}
KINDS = {TEXT: "text", BINARY: "protobuf"}
NEAR_THE_LIMIT = 4000
UNKNOWN_FIELD = b"\xc2\x3e"
UNDECODABLE = b"\xff"
"""What takes the place of text that is no message: bytes that are none either."""


@dataclass
class Line:
    """One connection of the recording."""

    socket: RawSocket
    form: Format = Format.JSON
    heard: list[Step] = field(default_factory=list)
    ended: bool = False
    dropped: bool = False
    reading: asyncio.Task[None] | None = None


@dataclass(frozen=True)
class Played:
    """What a case should have made every connection hear, and what it heard."""

    expected: Events
    heard: Events


class Replay:
    """One scenario: cases in order, on connections that outlive a case. `pings`: the server's pings count."""

    def __init__(self, live: Live, clock: JumpingClock, *, pings: bool = False) -> None:
        self._pings = pings
        self._live = live
        self._clock = clock
        self._tasks = TaskOwner("replay")
        self._lines: dict[str, Line] = {}
        self._values: dict[str, str] = {}
        self._changed = asyncio.Condition()
        self._pongs: set[str] = set()
        self._barriers = 0

    async def play(self, steps: list[Step]) -> Played:
        """Do what the client did, each time after the server has said what it had said by then."""
        expected: Events = defaultdict(list)
        before = {name: len(line.heard) for name, line in self._lines.items()}
        for step in steps:
            if "do" in step:
                await self._catch_up(expected, before)
                await self._act(step)
            else:
                name = step["conn"]
                expected[name].append({key: value for key, value in step.items() if key != "conn"})
        await self._catch_up(expected, before)
        await self._settle()
        heard = {name: line.heard[before.get(name, 0) :] for name, line in self._lines.items()}
        self._learn_all(expected, heard)
        return Played(
            {name: [self._render(event) for event in events] for name, events in expected.items() if events},
            {name: [ordered(event) for event in events] for name, events in heard.items() if events},
        )

    def names_are_distinct(self) -> bool:
        """Whether every name stands for a value of its own."""
        return len(set(self._values.values())) == len(self._values)

    async def end(self) -> None:
        """Close what is open, so that the next scenario meets nobody."""
        for line in self._lines.values():
            if not line.ended and not line.dropped:
                line.socket.close(1000)
        await self._until(lambda: all(line.ended for line in self._lines.values()))
        await self._tasks.cancel_all()
        for line in self._lines.values():
            await line.socket.hang_up()

    # ---- the client's side

    async def _act(self, step: Step) -> None:
        match step["do"]:
            case "wait":
                self._clock.jump(step["seconds"])
            case "round":
                await self._live.server.matchmaking.round()
            case "connect":
                await self._connect(step)
            case "request":
                await self._request(step)
            case "drop":
                line = self._lines[step["conn"]]
                line.dropped = True
                line.socket.drop()
            case "close":
                line = self._lines[step["conn"]]
                if not line.ended:
                    line.socket.close(step.get("code"), step.get("reason", ""))
            case "raw":
                self._lines[step["conn"]].socket.write(base64.b64decode(step["base64"]))
            case kind:
                payload = base64.b64decode(step.get("base64", ""))
                payload = payload or (await self._fill(step["data"])).encode()
                if kind == "protobuf":
                    payload = translated(payload)
                self._lines[step["conn"]].socket.frame(
                    OPCODES[kind], payload, masked=step.get("masked", True)
                )

    async def _connect(self, step: Step) -> None:
        target = await self._fill(step["target"])
        headers = {name: await self._fill(value) for name, value in step.get("headers", {}).items()}
        line = await self._dial(step["conn"])
        if "format=protobuf" in target:
            line.form = Format.PROTOBUF
        line.socket.answers_pings = step.get("pong", True)
        answer = await line.socket.upgrade(target, headers)
        if answer.status == 101:
            line.heard.append({"got": "open"})
            line.reading = self._tasks.spawn("read", self._read(line))
        else:
            await self._refused(line, answer.status, answer.headers["content-type"], answer.body)

    async def _request(self, step: Step) -> None:
        line = await self._dial(step["conn"])
        body = await self._fill(step["body"])
        head = (await self._fill(step["head"])).replace("{length}", str(len(body)))
        line.socket.write((head + body).encode())
        answer = await line.socket.answer()
        if step.get("json"):  # the answer holds names and times, and is to be compared by what it says
            line.heard.append(
                {"got": "answered", "status": answer.status, "message": json.loads(answer.body)}
            )
            line.ended = True
            await line.socket.hang_up()
        else:
            await self._refused(line, answer.status, answer.headers["content-type"], answer.body)

    async def _dial(self, name: str) -> Line:
        self._lines[name] = line = Line(await RawSocket.dial(self._live.host, self._live.port))
        return line

    async def _refused(self, line: Line, status: int, kind: str, body: str) -> None:
        got = "answered" if status < 300 else "refused"
        line.heard.append({"got": got, "status": status, "type": kind, "body": body})
        line.ended = True
        await line.socket.hang_up()

    # ---- what the server says

    async def _read(self, line: Line) -> None:
        while (frame := await line.socket.receive()) is not None:
            if kind := KINDS.get(frame.opcode):
                message = to_json(frame.payload) if kind == "protobuf" else frame.message
                if str(message.get("cid", "")).startswith(BARRIER):
                    self._pongs.add(message["cid"])
                else:
                    line.heard.append({"got": kind, "message": message})
            elif frame.opcode == CLOSE:
                line.heard.append({"got": "close", "code": frame.code, "reason": frame.reason})
            elif frame.opcode != PING:
                line.heard.append({"got": f"opcode {frame.opcode}"})
            elif self._pings and line.heard[-1] != {"got": "ping"}:
                line.heard.append({"got": "ping"})  # how many come in a row is the clock's affair
            await self._tell()
        line.ended = True
        if not line.dropped and line.heard[-1]["got"] != "close":
            line.heard.append({"got": "end of TCP"})
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _catch_up(self, expected: Events, before: dict[str, int]) -> None:
        """Wait until every connection has heard what the recording has it hear up to here."""

        def caught_up() -> bool:
            return all(
                name in self._lines and len(self._lines[name].heard) >= before.get(name, 0) + len(events)
                for name, events in expected.items()
            )

        await self._until(caught_up)
        heard = {name: line.heard[before.get(name, 0) :] for name, line in self._lines.items()}
        self._learn_all(expected, heard)

    async def _settle(self) -> None:
        """Nothing more is on its way: every ping is answered, twice, and closed connections have ended.

        The first round proves that all requests have been handled, the second that what they set off for
        others has arrived.
        """
        await self._until(lambda: all(line.ended for line in self._lines.values() if is_closed(line)))
        for line in self._lines.values():
            if is_closed(line) and not line.ended:
                line.heard.append({"got": "TCP left open"})
        for _ in range(2):
            awaited = set()
            for line in self._lines.values():
                if not line.ended and not is_closed(line) and not line.dropped:
                    self._barriers += 1
                    awaited.add(cid := f"{BARRIER}{self._barriers}")
                    if line.form is Format.JSON:
                        line.socket.say(cid=cid, ping={})
                    else:
                        line.socket.frame(FIN | BINARY, from_json({"cid": cid, "ping": {}}))
            if not await self._until(lambda awaited=awaited: awaited <= self._pongs):
                raise AssertionError("a ping was not answered")

    async def _until(self, met: Any) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(met)
        except TimeoutError:
            return False
        return True

    # ---- names

    async def _fill(self, text: str) -> str:
        for name in {found[0]: found for found in NAME.finditer(text)}.values():
            text = text.replace(name[0], await self._value(name[0], name[1], name[2]))
        return text

    async def _value(self, name: str, kind: str, who: str) -> str:
        if kind == "room":
            self._values.setdefault(name, f"room-{next(ROOMS)}")
        if name not in self._values:
            user = who.split("/")[0]
            if kind not in ("token", "refresh", "expired", "user"):
                raise AssertionError(f"{name} is used before it is known")
            pair = await self._live.sign_in(user)
            claims = json.loads(base64url.decode(pair["token"].split(".")[1]))
            self._values[f"{{user:{user}}}"] = claims["uid"]
            if kind == "expired":
                self._clock.jump(claims["exp"] - claims["iat"])
                self._values[name] = pair["token"]
            elif kind != "user":
                self._values.setdefault(f"{{token:{who}}}", pair["token"])
                self._values.setdefault(f"{{refresh:{who}}}", pair["refresh_token"])
        return self._values[name]

    def _learn_all(self, expected: Events, heard: Events) -> None:
        for name, events in expected.items():
            for wanted, got in zip(events, heard.get(name, []), strict=False):
                self._learn(ordered(wanted), ordered(got))

    def _learn(self, wanted: Any, got: Any) -> None:
        if isinstance(wanted, dict) and isinstance(got, dict):
            for key in wanted.keys() & got.keys():
                self._learn(wanted[key], got[key])
        elif isinstance(wanted, list) and isinstance(got, list):
            for each, other in zip(wanted, got, strict=False):
                self._learn(each, other)
        elif isinstance(wanted, str) and isinstance(got, str):
            name, value = NAME.match(wanted), BOUND.match(got)
            if name is not None and value is not None:
                self._values.setdefault(name[0], value[0])

    def _render(self, event: Any) -> Any:
        text = json.dumps(ordered(event))
        return json.loads(NAME.sub(lambda name: self._values.get(name[0], name[0]), text))


def in_protobuf(steps: list[Step]) -> list[Step]:
    """The same conversation in protobuf: sockets ask for it, and messages say the same."""
    return [_in_protobuf(step) for step in steps]


def _in_protobuf(step: Step) -> Step:
    match step:
        case {"do": "connect", "target": target} if "format=" not in target:
            return {**step, "target": f"{target}&format=protobuf"}
        case {"do": "text"}:
            return {**step, "do": "protobuf"}
        case {"do": "binary"}:
            return {**step, "do": "text"}  # the kind of frame that this socket does not expect
        case {"got": "text"}:
            return {**step, "got": "protobuf"}
        case _:
            return step


def translated(payload: bytes) -> bytes:
    """What a JSON payload says, in protobuf; in as many bytes, where a limit of bytes is in reach."""
    try:
        said = encode(decode(payload), Format.PROTOBUF)
        return said + padding(len(payload) - len(said)) if len(payload) > NEAR_THE_LIMIT else said
    except ProtocolError as error:
        # What our server would not take is written by the runtime's own mapping.
        return UNDECODABLE if error.code is None else from_json(json.loads(payload))


def padding(size: int) -> bytes:
    """A field that nobody knows, and that is to be ignored; of 3 to 130 bytes."""
    return UNKNOWN_FIELD + bytes((size - 3,)) + bytes(size - 3)


def is_closed(line: Line) -> bool:
    """Whether the server has sent its close frame."""
    return any(event["got"] == "close" for event in line.heard)


def ordered(value: Any) -> Any:
    """Lists of presences have no order, times are what the clock says, and a cursor is its maker's own."""
    if isinstance(value, dict):
        return {
            key: "{cursor}"
            if key.endswith("_cursor")
            else "{time}"
            if key in TIMES and TIME.fullmatch(str(each))
            else ordered(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        each_ordered = [ordered(each) for each in value]
        are_presences = all(isinstance(each, dict) and "session_id" in each for each in each_ordered)
        return sorted(each_ordered, key=lambda each: each["username"]) if are_presences else each_ordered
    return value
