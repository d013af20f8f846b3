"""What a status costs that many players follow: one update, told to 1,000 and to 10,000 sockets."""

import asyncio
import time
import uuid

from server.storage.store import Names, Store
from tests.bench.load import Client, connect, quiet, reset
from tests.bench.process import ServerProcess
from tests.bench.report import say, table
from tests.support.families import new_family

FOLLOWERS = (1_000, 10_000)
AT_ONCE = 500
UPDATES = 20
TOLD = "told to followers, CPU us each"
LAST = "the last one has it after, ms"


class FollowerBench:
    """All measurements of one player's followers."""

    def __init__(self) -> None:
        self._results: dict[str, dict[str, list[float]]] = {}

    async def round(self, server: ServerProcess, port: int, tokens: list[str]) -> None:
        """`tokens`: of the player who is followed, who has an account, and of the followers."""
        [followed] = await connect(port, tokens[:1])
        clients: list[Client] = []
        for count in FOLLOWERS:
            while len(clients) < count:  # not all at once: each asks the database for the player's account
                newcomers = await connect(port, tokens[1 + len(clients) :][:AT_ONCE])
                for client in newcomers:
                    client.send({"cid": "1", "status_follow": {"user_ids": [account_of(0)]}})
                await quiet(newcomers)
                clients += newcomers
            self._note(count, *await self._updates(server, followed, clients))
        reset([followed, *clients])

    def report(self) -> str:
        """The table; the multiples show how it grows."""
        return table(self._results, [f"{count:,}" for count in FOLLOWERS])

    async def _updates(
        self, server: ServerProcess, followed: Client, clients: list[Client]
    ) -> tuple[float, float]:
        """CPU microseconds for each receiver, and milliseconds until the last one has it, by the median."""
        frame_bytes = await self._size(followed, clients)
        done, missing = asyncio.Event(), 0

        def on_bytes(size: int) -> None:
            nonlocal missing
            missing -= size
            if missing <= 0:
                done.set()

        for client in clients:
            client.on_bytes = on_bytes
        latencies, cpu_s = [], server.cpu_s()
        for number in range(UPDATES):
            done.clear()
            missing, began = frame_bytes * len(clients), time.perf_counter()
            followed.send({"status_update": {"status": f"wave {number:04}"}})
            await done.wait()
            latencies.append(time.perf_counter() - began)
        cpu_us = (server.cpu_s() - cpu_s) / UPDATES / len(clients) * 1e6
        return cpu_us, sorted(latencies)[UPDATES // 2] * 1e3

    async def _size(self, followed: Client, clients: list[Client]) -> int:
        """The length of one update's frame. Nothing is under way when it is known."""
        for client in clients:
            client.on_bytes = None
        for text in ("wave 0000", "wave 0001"):  # the second one has a status to take the place of
            clients[0].kept = b""
            followed.send({"status_update": {"status": text}})
            await quiet(clients)
        return len(clients[0].kept)

    def _note(self, count: int, cpu_us: float, last_ms: float) -> None:
        for label, figure in ((TOLD, cpu_us), (LAST, last_ms)):
            self._results.setdefault(label, {}).setdefault(f"{count:,}", []).append(figure)
            say(f"         {label:42} {count:<14,} {figure:10.2f}")


def account_of(number: int) -> str:
    """The user id of the bench's player of that number."""
    return str(uuid.UUID(int=number + 1))


async def make_account(url: str, names: Names) -> None:
    """The account of the first player, in the server's database: only who has one can be followed."""
    store = Store(names)
    await store.open(url)
    family = new_family(str(uuid.uuid4()), account_of(0), now=int(time.time()))
    await store.login(family, create=True, username="player00000")
    await store.close()
