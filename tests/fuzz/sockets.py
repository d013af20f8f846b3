"""python -m tests.fuzz.sockets: clients that say recorded things wrongly, for as long as you like.

Starts a server of its own, lets forty connections at a time send mutated messages and broken frames and leave
in every way, and ends with status 1 if the server logged an error, kept anything of those who left, or grew.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import urllib.request
from collections import Counter
from pathlib import Path

from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, build_masked
from tests.support.replay import translated
from tests.support.running import RunningServer, running_server

RECORDINGS = Path(__file__).parent.parent / "recordings" / "sockets.jsonl"
CLIENTS = 40
PLAYERS = 20
OTHERS = [FIN_PING, FIN_PONG, FIN_CLOSE, 0x01, 0x80, 0x83]
FIRST_BYTES = {
    "json": [FIN_TEXT] * 20 + [FIN_BINARY, *OTHERS],
    "protobuf": [FIN_BINARY] * 20 + [FIN_TEXT, *OTHERS],
}
GROWTH = 1.10
"""Resident memory at the end, as a multiple of what it was after a tenth of the run, at most."""


class Hostile:
    """One run's clients. The same seed says the same things; when they are heard is up to the machine."""

    def __init__(self, server: RunningServer, tokens: list[str], seed: int) -> None:
        self._server = server
        self._tokens = tokens
        self._random = random.Random(seed)
        texts = recorded()
        self._corpus = {"json": texts, "protobuf": [translated(text) for text in texts]}
        self.sockets = 0
        self.messages = 0

    async def rage(self, until: float) -> None:
        """One client after the other, until the loop's time is `until`."""
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(ConnectionError):
                await self._visit()

    async def _visit(self) -> None:
        chance = self._random
        reader, writer = await asyncio.open_connection(self._server.host, self._server.port)
        token, spoken = chance.choice(self._tokens), chance.choice(["json", "protobuf"])
        status = chance.choice(["true", "false", "1", "x"])
        writer.write(
            f"GET /ws?token={token}&status={status}&format={spoken} HTTP/1.1\r\n"
            "Host: fuzz\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        self.sockets += 1
        for _ in range(chance.randint(1, 40)):
            if writer.is_closing():
                break
            self.messages += 1
            writer.write(self._frame(spoken))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        if chance.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1 << 16), timeout=0.05)
        if chance.random() < 0.3:
            writer.transport.abort()
        writer.close()

    def _frame(self, spoken: str) -> bytes:
        payload = self._mutated(self._random.choice(self._corpus[spoken]))
        return build_masked(
            self._random.choice(FIRST_BYTES[spoken]), payload, b"\0\0\0\0", lambda data, _: data
        )

    def _mutated(self, message: bytes) -> bytes:
        chance, data = self._random, bytearray(message)
        if chance.random() < 0.35:
            return message
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data[at : at + 1] = chance.randbytes(1)
                case 1:
                    del data[at : at + chance.randint(1, 5)]
                case 2:
                    data[at:at] = bytes(chance.randrange(32, 127) for _ in range(chance.randint(1, 4)))
                case _:
                    start = chance.randrange(len(data) + 1)
                    data[at:at] = data[start : start + chance.randint(1, 30)]
        return bytes(data[:4000])


def recorded() -> list[bytes]:
    """Every text that a recorded client said."""
    steps = (step for line in RECORDINGS.read_text().splitlines() for step in json.loads(line)["steps"])
    return [step["data"].encode() for step in steps if step.get("do") == "text" and "data" in step]


def sign_in(server: RunningServer, user: str) -> str:
    request = urllib.request.Request(
        f"http://{server.public}/v2/account/authenticate/custom",
        data=json.dumps({"id": server.identity_token(user)}).encode(),
        headers={"Authorization": "Basic ZGVmYXVsdGtleTo="},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["token"])


def gauges(server: RunningServer) -> dict[str, float]:
    """The server's own metrics without labels."""
    with urllib.request.urlopen(f"http://{server.ops}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value in pairs}


async def emptied(server: RunningServer) -> dict[str, float]:
    """The metrics once everybody is gone, or after fifteen seconds.

    A peer that does not answer a close is given two seconds of the server's own time, which passes more
    slowly than the clock's while the server is short of CPU.
    """
    for _ in range(60):
        seen = gauges(server)
        if not any(seen[name] for name in LEFT_EMPTY):
            break
        await asyncio.sleep(0.25)
    return gauges(server)


async def run(server: RunningServer, seconds: float, seed: int) -> list[str]:
    """Let the clients loose. Returns what went wrong."""
    tokens = [await asyncio.to_thread(sign_in, server, f"fuzz-{number}") for number in range(PLAYERS)]
    hostile = Hostile(server, tokens, seed)
    loop = asyncio.get_running_loop()
    before = 0.0
    for share in (0.1, 0.9):
        until = loop.time() + seconds * share
        await asyncio.gather(*(hostile.rage(until) for _ in range(CLIENTS)))
        before = before or gauges(server)["process_resident_memory_bytes"]
    seen = await emptied(server)
    growth = seen["process_resident_memory_bytes"] / before
    say(f"{hostile.messages} messages on {hostile.sockets} sockets in {seconds:.0f} s; memory x {growth:.3f}")
    left = {name: seen[name] for name in LEFT_EMPTY if seen[name]}
    levels = Counter(event["level"] for event in server.events)
    faults = [f"{count} log lines of level {level}" for level, count in levels.items() if level == "error"]
    faults += [f"{name} is {value:.0f}, not 0" for name, value in left.items()]
    return faults + ([f"memory grew by a factor of {growth:.2f}"] if growth > GROWTH else [])


LEFT_EMPTY = (
    "lockgate_sockets_open",
    "lockgate_sockets_leaving",
    "lockgate_matches",
    "lockgate_presences",
    "lockgate_status_follows",
)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.sockets", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "600")))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        faults = asyncio.run(run(server, options.seconds, options.seed))
    for fault in faults:
        say(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
