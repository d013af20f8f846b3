"""Asks the requests of a recorded case of a running server, in their order, and keeps what it answers.

A recording names what differs from run to run: `{identity:xa}`, `{session:xa}`, `{refresh:xa/2}`,
`{user:xa}`, `{name:xa}`, `{subject:xa}`. A name is bound to what our server says in its place, and has to
stand for the same value from then on; a player who is named first in a request has signed in before.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

from server.identity import base64url
from tests.support.clock import JumpingClock
from tests.support.replay import TIME
from tests.support.visitor import Visitor

Exchange = dict[str, Any]
Answers = dict[int, dict[str, Any]]

NAME = re.compile(r"\{(identity|session|refresh|user|name|subject):([^{}\"]+)\}")
LIMIT_S = 10


@dataclass(frozen=True)
class Heard:
    """What the requests of a case should have been answered, and what they were."""

    expected: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)


class Exchanges:
    """One scenario: cases in order, with the logins of the ones before."""

    def __init__(self, live: Visitor, clock: JumpingClock) -> None:
        self._live = live
        self._clock = clock
        self._values: dict[str, str] = {}

    async def play(self, steps: list[Exchange], ours: Answers) -> Heard:
        """Do the steps. `ours`: what is answered instead of what was recorded, by number of the exchange."""
        heard = Heard()
        for step in steps:
            match step:
                case {"wait": seconds}:
                    self._clock.jump(seconds)
                case {"known": player}:
                    await self._sign_in(player)
                case _:
                    response = step["response"] | ours.get(len(heard.expected), {})
                    status, headers, body = await self._ask(step["request"])
                    kept = {name: headers.get(name.lower()) for name in response["headers"]}
                    self._learn(response["body"], body)
                    heard.expected.append(self._render(response))
                    heard.answers.append({"status": status, "headers": kept, "body": without_times(body)})
        tokens = [
            value for name, value in self._values.items() if name.startswith(("{session:", "{refresh:"))
        ]
        assert len(set(tokens)) == len(tokens), "two names stand for one token"
        return heard

    async def _ask(self, request: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        """Say it on a connection of its own; one that is to be kept answers a second time."""
        reader, writer = await asyncio.open_connection(self._live.host, self._live.port)
        try:
            async with asyncio.timeout(LIMIT_S):
                payload = await self._written(request)
                writer.write(payload)
                answer = await answered(reader, empty=request["method"] == "HEAD")
                if request["headers"].get("Connection") == "keep-alive":
                    writer.write(payload)
                    assert await answered(reader) == answer
                else:
                    assert await reader.read() == b"", "more than one answer"
                return answer
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def _written(self, request: dict[str, Any]) -> bytes:
        body = (await self._fill(request["body"])).encode()
        headers = {"Host": "localhost", "Connection": "close"} | request["headers"]
        if body:
            headers["Content-Length"] = str(len(body))
        lines = [f"{request['method']} {request['path']} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return (await self._fill("\r\n".join(lines)) + "\r\n\r\n").encode() + body

    # ---- names

    async def _fill(self, text: str) -> str:
        for name in {found[0]: found for found in NAME.finditer(text)}.values():
            text = text.replace(name[0], await self._value(name[0], name[1], name[2]))
        return text

    async def _value(self, name: str, kind: str, who: str) -> str:
        if kind == "identity":
            return await self._live.identity_token(who)
        if name not in self._values:
            await self._sign_in(who)
        return self._values[name]

    async def _sign_in(self, who: str) -> None:
        pair = await self._live.sign_in(who.split("/")[0])
        claims = json.loads(base64url.decode(pair["token"].split(".")[1]))
        self._values |= {
            f"{{session:{who}}}": pair["token"],
            f"{{refresh:{who}}}": pair["refresh_token"],
            f"{{user:{who}}}": claims["uid"],
            f"{{name:{who}}}": claims["usn"],
        }

    def _learn(self, wanted: Any, got: Any) -> None:
        if isinstance(wanted, dict) and isinstance(got, dict):
            for key in wanted.keys() & got.keys():
                self._learn(wanted[key], got[key])
        elif isinstance(wanted, str) and isinstance(got, str) and NAME.fullmatch(wanted):
            self._values.setdefault(wanted, got)

    def _render(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._render(each) for key, each in value.items()}
        return self._values.get(value, value) if isinstance(value, str) else value


async def answered(reader: asyncio.StreamReader, *, empty: bool = False) -> tuple[int, dict[str, str], Any]:
    """One HTTP answer; header names in lower case, a body of JSON decoded. `empty`: the head is all of it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = b"" if empty else await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, json.loads(body) if body else ""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items()}
    return "{time}" if isinstance(value, str) and TIME.fullmatch(value) else value
