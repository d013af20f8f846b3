"""A key cache on a bench: a controlled clock, no jitter, and an issuer that answers as the test wants."""

import asyncio
from dataclasses import dataclass, field

from server.identity.jwks_cache import Document, FetchFailed, JwksCache, Rules
from server.identity.jwks_file import JwksFile
from server.ids import RandomIds
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.issuer import jwk, jwks, rsa_key

ONE = jwk(rsa_key(), "one")


TWO = jwk(rsa_key(number=1), "two")


class Provider:
    """An issuer whose answer and whose slowness the test decides."""

    def __init__(self) -> None:
        self.document: bytes | None = jwks(ONE)
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.max_age_s: float | None = None
        self.denied: frozenset[str] = frozenset()

    async def fetch(self) -> Document:
        self.asked += 1
        document = self.document
        await self.gate.wait()
        if document is None:
            raise FetchFailed("down")
        return Document(document, self.max_age_s, self.denied)


class MiddleIds(RandomIds):
    """No jitter: each random number is the middle one."""

    def jitter(self) -> float:
        return 0.5


@dataclass
class Bench:
    provider: Provider = field(default_factory=Provider)
    clock: ManualClock = field(default_factory=ManualClock)
    tasks: TaskOwner = field(default_factory=lambda: TaskOwner("jwks"))
    rules: Rules = field(default_factory=Rules)
    file: JwksFile | None = None

    def __post_init__(self) -> None:
        self.cache = JwksCache(
            "https://issuer.example",
            self.provider.fetch,
            rules=self.rules,
            file=self.file,
            clock=self.clock,
            ids=MiddleIds("test"),
            tasks=self.tasks,
        )

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def has(self, kid: str) -> bool:
        return await self.cache.key(kid) is not None
