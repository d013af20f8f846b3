"""Lending workers over loopback: to whom, on which conditions, and what becomes of them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from loadtest import agent, lending, lines
from loadtest.agent import Shop, lend, serve
from loadtest.crew import Crew
from loadtest.failures import SwarmError
from loadtest.hand import Patience
from loadtest.lender import Lender
from loadtest.lending import Answer, Challenge, Ordered, Refused, Welcome, proof
from loadtest.notes import Begin, Done, Note, Order, Prepare, Ready, Share
from loadtest.plan import Plan, SignIn
from tests.support.fake_worker import COMMAND

SECRET = "they both know it"
PATIENCE = Patience(leave_s=5, terminate_s=1)
CPU = min(os.sched_getaffinity(0))


@dataclass
class Lent:
    """A running agent."""

    port: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def lent(workers: int = 1, **more: Any) -> AsyncIterator[Lent]:
    members = {"secret": SECRET, "cpus": [CPU] * workers, "command": COMMAND, "patience": PATIENCE, **more}
    agent = Lent()
    up = asyncio.Event()

    def say(line: str) -> None:
        agent.said.append(line)
        if not up.is_set():
            agent.port = int(line.rpartition(":")[2])
            up.set()

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(lend("127.0.0.1", 0, Shop(**members), say))
        await up.wait()
        try:
            yield agent
        finally:
            serving.cancel()


class Stranger:
    """A connection that says what a coordinator would not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines = lines.Lines(reader)
        self.writer = writer

    async def next(self, kind: Any) -> Any:
        line = await self.lines.next()
        assert line is not None, "hung up"
        return lines.read(line, kind, "line")

    async def prove(self, secret: str = SECRET) -> Any:
        challenge = await self.next(Challenge)
        self.say(Answer("n", proof(secret, "coordinator", challenge.nonce, "n")))
        return await self.next(Welcome | Refused)

    def say(self, *messages: Any) -> None:
        self.writer.write(b"".join(lines.write(message) for message in messages))

    def order(self, order: Order, worker: int = 0) -> None:
        self.say(Ordered(worker, order))

    async def is_hung_up_on(self) -> bool:
        try:
            while await self.lines.next() is not None:
                pass
        except ConnectionError:
            pass
        return True


@asynccontextmanager
async def stranger(agent: Lent) -> AsyncIterator[Stranger]:
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
    try:
        yield Stranger(reader, writer)
    finally:
        writer.transport.abort()


def plan(agent: Lent, secret: str = SECRET, **more: Any) -> Plan:
    return Plan(workers=0, agents=[agent.place], agent_secret=secret, **more)


async def play(plan: Plan) -> list[tuple[int, Note]]:
    async with Crew(plan, command=COMMAND) as crew:
        await crew.prepare()
        crew.begin()
        return [each async for each in crew.notes()]


async def test_workers_of_two_hosts_play_together() -> None:
    async with lent(2) as agent:
        notes = await play(msgspec.structs.replace(plan(agent), workers=1))

    assert sorted(worker for worker, note in notes if isinstance(note, Done)) == [0, 1, 2]


async def test_an_agent_serves_one_run_after_the_other() -> None:
    async with lent() as agent:
        first = await play(plan(agent))
        second = await play(plan(agent))

    assert len(first) == len(second) == 5


async def test_a_stop_reaches_them() -> None:
    async with lent(2) as agent, Crew(plan(agent, settings={"act": "wait"})) as crew:
        await crew.prepare()
        crew.begin()
        crew.stop()
        notes = [note async for _, note in crew.notes()]

    assert [note.stopped_early for note in notes if isinstance(note, Done)] == [True, True]


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + " "])
async def test_who_does_not_know_the_secret_gets_nothing(secret: str) -> None:
    async with lent() as agent:
        with pytest.raises(SwarmError, match="refuses: wrong secret"):
            await Lender.connect(agent.place, secret)

    assert "does not know the secret" in agent.said[-1]
    assert SECRET not in "".join(agent.said)


async def test_a_proof_cannot_be_used_again() -> None:
    async with lent() as agent, stranger(agent) as first, stranger(agent) as second:
        challenge = await first.next(Challenge)
        old = Answer("n", proof(SECRET, "coordinator", challenge.nonce, "n"))
        first.say(old)
        assert isinstance(await first.next(Welcome | Refused), Welcome)

        await second.next(Challenge)
        second.say(old)

        assert await second.next(Welcome | Refused) == Refused("wrong secret")


async def test_a_coordinator_trusts_no_agent_without_the_secret() -> None:
    over = asyncio.Event()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(lines.write(Challenge(lending.VERSION, "n")))
        answer = lines.read(await reader.readline(), Answer, "answer")
        # It sends back what it was sent: it can prove nothing else.
        writer.write(lines.write(Welcome(answer.proof, 1)))
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(pretend, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SwarmError, match="does not know the secret"):
            await Lender.connect(f"127.0.0.1:{port}", SECRET)
        await over.wait()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "192.0.2.1", "::", "a.example"])
async def test_without_a_secret_it_serves_this_machine_only(host: str) -> None:
    with pytest.raises(SwarmError, match="needs a secret"):
        await serve(host, 0, "", [CPU])


async def test_on_this_machine_it_may_go_without_a_secret() -> None:
    async with lent(secret="") as agent:
        assert len(await play(plan(agent, secret=""))) == 5


async def test_a_second_coordinator_is_told_that_the_first_has_them() -> None:
    async with lent() as agent:
        first = await Lender.connect(agent.place, SECRET)
        with pytest.raises(SwarmError, match="refuses: busy"):
            await Lender.connect(agent.place, SECRET)
        await first.end(PATIENCE)


async def test_a_stranger_is_not_told_whether_it_is_busy() -> None:
    async with lent() as agent:
        first = await Lender.connect(agent.place, SECRET)
        with pytest.raises(SwarmError, match="wrong secret"):
            await Lender.connect(agent.place, "wrong")
        await first.end(PATIENCE)


async def test_when_the_coordinator_is_lost_its_workers_are_stopped() -> None:
    gone, before = asyncio.Event(), children()
    async with lent(2) as agent:
        async with stranger(agent) as coordinator:
            assert (await coordinator.prove()).workers == 2
            prepare = Prepare(msgspec.to_builtins(Plan(settings={"act": "mute"})), Share(0, 1))
            coordinator.order(prepare)
            heard = await coordinator.next(lending.Heard)
            assert msgspec.json.decode(heard.note, type=Note) == Ready()
            coordinator.order(Begin())
            pids = children() - before
            coordinator.writer.transport.abort()
        async with asyncio.timeout(20):
            while not gone.is_set():
                async with stranger(agent) as next_one:
                    if isinstance(await next_one.prove(), Welcome):
                        gone.set()

        assert len(pids) == 2
        assert not pids & children()


def children() -> set[int]:
    """Processes that this one has started and that are alive."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return {int(pid) for pid in file.read().split()}


@pytest.mark.parametrize(
    "said",
    [b"x" * 3000, b"nonsense\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n", b"\n", b"[" * 900 + b"\n"],
    ids=["long", "nonsense", "http", "bytes", "empty", "deep"],
)
async def test_garbage_from_a_stranger_ends_its_connection(said: bytes) -> None:
    async with lent() as agent, stranger(agent) as garbler:
        await garbler.next(Challenge)
        garbler.writer.write(said)

        assert await garbler.is_hung_up_on()
        assert len(await play(plan(agent))) == 5


@pytest.mark.parametrize(
    "said",
    [
        b"x" * (2**20 + 70_000),
        b"nonsense\n",
        lines.write(Ordered(7, Begin())),
        lines.write(Ordered(-1, Begin())),
    ],
    ids=["long", "nonsense", "who", "negative"],
)
async def test_garbage_from_a_coordinator_ends_its_connection(said: bytes) -> None:
    async with lent() as agent, stranger(agent) as garbler:
        await garbler.prove()
        garbler.writer.write(said)

        assert await garbler.is_hung_up_on()


async def test_who_says_nothing_is_hung_up_on() -> None:
    async with lent(head_s=0.05) as agent, stranger(agent) as silent:
        assert await silent.is_hung_up_on()

    assert "took too long" in agent.said[-1]


async def test_who_takes_workers_and_wants_nothing_of_them_loses_them() -> None:
    async with lent(first_order_s=0.05) as agent, stranger(agent) as idle:
        await idle.prove()

        assert await idle.is_hung_up_on()


async def test_strangers_are_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "STRANGERS", 1)
    async with lent() as lender, stranger(lender) as first:
        await first.next(Challenge)
        async with stranger(lender) as second:
            assert await second.is_hung_up_on()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"scenario": "/etc/mine.py"}, "plays no scenario files"),
        ({"sign_in": SignIn(way="command", command="id {name}")}, "runs no sign-in command"),
        ({"settings": {"drill_command": "reboot"}}, "refuses the setting drill_command"),
        ({"players": 5, "scenario": "../x"}, "plays no scenario files"),
    ],
    ids=["file", "sign-in", "setting", "relative"],
)
async def test_a_plan_runs_no_code_that_the_owner_did_not_allow(more: dict[str, Any], told: str) -> None:
    async with lent() as agent:
        with pytest.raises(SwarmError, match=told):
            await play(plan(agent, **more))


async def test_a_worker_that_dies_there_is_told_here() -> None:
    async with lent(2) as agent:
        name = re.escape(f"worker 2 of {agent.place}")
        with pytest.raises(SwarmError, match=f"^{name} ended with status 7: out of something$"):
            await play(plan(agent, settings={"act": "die", "who": 1}))


async def test_an_agent_that_goes_is_told() -> None:
    async with lent() as agent, Crew(plan(agent, settings={"act": "wait"})) as crew:
        await crew.prepare()
        crew.begin()
        ((source, _),) = crew._sources
        assert isinstance(source, Lender)

        source._writer.transport.abort()

        with pytest.raises(SwarmError, match="hung up"):
            async for _ in crew.notes():
                pass


@pytest.mark.parametrize(
    "place", ["", "host", ":1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:1", "127.0.0.1:99999"]
)
async def test_an_agent_that_is_not_there_is_told(place: str) -> None:
    with pytest.raises(SwarmError, match="agent"):
        await Lender.connect(place, SECRET)


async def test_a_port_in_use_is_told() -> None:
    async with lent() as agent:
        with pytest.raises(SwarmError, match="cannot listen"):
            await serve("127.0.0.1", agent.port, SECRET, [CPU])


async def test_an_agent_without_processors_lends_nothing() -> None:
    with pytest.raises(SwarmError, match="at least one"):
        await serve("127.0.0.1", 0, SECRET, [])
