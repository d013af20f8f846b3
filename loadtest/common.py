"""What all players of a worker share."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

from loadtest.dial import Dialer
from loadtest.failures import Refused, SwarmError
from loadtest.ledger import Ledger, Topic
from loadtest.pacer import NS, Pacer
from loadtest.plan import Plan
from loadtest.profile import Course
from loadtest.sign_in.bridge import Bridge
from loadtest.sign_in.ways import SignIn
from loadtest.takeovers import Takeovers
from loadtest.timings import Timings

MAX_ERROR_TEXTS: Final = 50
"""Different ones that are told; the rest counts as other."""
MAX_COUNTS: Final = 100
OTHER: Final = "other"
LEARN_S: Final = 60.0
COME_LATER: Final = frozenset({429, 503})
RETRY_S: Final = 1.0
"""When the server does not say."""
T = TypeVar("T")


@dataclass(slots=True)
class Common:
    """One worker's means and counters. Times are nanoseconds of the monotonic clock."""

    plan: Plan
    settings: Any
    """Of the scenario: an instance of its settings class."""
    name: str
    """The same in no other run and no other worker."""
    run: int
    """0..255: tells this run's messages from those of another."""
    random: Random
    pacer: Pacer
    timings: Timings
    ledger: Ledger
    dialer: Dialer
    sign_in: SignIn
    bridge: Bridge
    tell: Callable[[float, str, str], None]
    """(when, text, name): something for the plots, or with a name a fact for the report."""
    takeovers: Takeovers
    begun_ns: int = 0
    measured_from_ns: int = 0
    until_ns: int = 0
    """When the run ends; earlier than planned once it is being stopped."""
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    _shared: dict[type[Any], Any] = field(default_factory=dict)

    def shared(self, kind: type[T]) -> T:
        """The one of its kind that all players of the worker have, made when it is first asked for."""
        if kind not in self._shared:
            self._shared[kind] = kind()
        found: T = self._shared[kind]
        return found

    def count(self, name: str, times: int = 1) -> None:
        """Count something for the result's `counts`."""
        known = name in self.counts or len(self.counts) < MAX_COUNTS
        self.counts[name if known else OTHER] += times

    def error(self, text: str) -> None:
        """Count a fault of the server's, by a text without names, ids and secrets."""
        known = text in self.errors or len(self.errors) < MAX_ERROR_TEXTS
        self.errors[text if known else OTHER] += 1

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do what the server may put off: it is asked again when it said so, if the run lasts so long.

        Raises what `attempt` raises.
        """
        while True:
            try:
                return await attempt()
            except Refused as refused:
                pause_s = (refused.retry_after_s or RETRY_S) * (1 + self.random.random() / 2)
                again_ns = time.monotonic_ns() + round(pause_s * NS)
                if refused.status not in COME_LATER or again_ns >= self.until_ns:
                    raise
                self.counts["asked_to_come_later"] += 1
                await self.pacer.until(again_ns)

    def begin(self, course: Course) -> None:
        """The run begins now."""
        self.begun_ns = time.monotonic_ns()
        self.until_ns = self.begun_ns + round(course.until_s * NS)
        self.measured_from_ns = self.begun_ns + round(course.measured_from_s * NS)
        self.timings.begin(self.measured_from_ns)

    def mark(self, text: str) -> None:
        """Something that a reader of the plots wants to see."""
        self.tell(self.at_s(), text, "")

    def fact(self, name: str, text: str) -> None:
        """Something for the report."""
        self.tell(self.at_s(), text, name)

    def at_s(self) -> float:
        """Seconds since the run began."""
        return (time.monotonic_ns() - self.begun_ns) / NS


class Group:
    """Players who belong together: a match, a room, a party. They all live in one worker."""

    def __init__(self, number: int, name: str, ledger: Ledger) -> None:
        self.number = number
        self.name = name
        """The same in no other run."""
        self.match_id = ""
        """Of the relayed match that the members were in last."""
        self._told: dict[str, asyncio.Future[str]] = {}
        self._sought: set[str] = set()
        """What somebody is finding out for all."""
        self._ledger = ledger
        self._topics: dict[str, Topic] = {}

    async def once(self, name: str, find: Callable[[], Awaitable[str]]) -> str:
        """What one member finds out for all: who asks first finds it, the others wait.

        Raises what `find` raises, or SwarmError when it failed for another member.
        """
        known = self._told.get(name)
        if name in self._sought or (known is not None and known.done()):
            return await self.learn(name)
        self._sought.add(name)
        try:
            found = await find()
        except BaseException:
            # The next one tries again; whoever waits by now fails with us.
            waited = self._told.get(name)
            if waited is not None and not waited.done():
                del self._told[name]
                waited.set_exception(
                    SwarmError("the member of the group who should have found it out could not")
                )
                waited.exception()  # seen, also when nobody waits
            raise
        finally:
            self._sought.discard(name)
        self.tell(name, found)
        return found

    def forget(self, name: str, value: str) -> None:
        """This is true no more: whoever asks for it `once` again finds it anew. Another value stays."""
        known = self._told.get(name)
        if known is not None and known.done() and known.result() == value:
            del self._told[name]

    def tell(self, name: str, value: str) -> None:
        """Let the others know what they `learn`; what was told before is forgotten."""
        if self._known(name).done():
            del self._told[name]
        self._known(name).set_result(value)

    def answer(self, name: str, value: str) -> None:
        """Let those know who wait to `learn` this by now; it is not kept for others."""
        waited = self._told.pop(name, None)
        if waited is not None and not waited.done():
            waited.set_result(value)

    async def learn(self, name: str, within_s: float = LEARN_S) -> str:
        """What another member tells, now or later. Raises SwarmError when nobody does."""
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self._known(name))
        except TimeoutError:
            raise SwarmError("a member of the group waited in vain for another") from None

    def _known(self, name: str) -> asyncio.Future[str]:
        if name not in self._told:
            self._told[name] = asyncio.get_running_loop().create_future()
        return self._told[name]

    def topic(self, name: str, *, echoes: bool = False) -> Topic:
        """What the members hear from each other, by the kind of place. `echoes`: also from themselves."""
        if name not in self._topics:
            self._topics[name] = self._ledger.topic(echoes=echoes)
        return self._topics[name]
