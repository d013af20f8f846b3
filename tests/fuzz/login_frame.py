"""What the state machine of logins stands on: two processes, a clock, and logins that are made and refreshed.

How they end is in `login_machine.py`.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from tests.support import issuer
from tests.support.clock import ManualClock
from tests.support.login_model import DAY_S, Fate, Login, Model
from tests.support.postgres import Postgres
from tests.support.site import SESSION
from tests.support.twin import Twin, running_twin

T = TypeVar("T")

PLAYERS = (issuer.ALICE, issuer.BOB, "9c8b7a69-5e4d-4c3b-8a29-18f7e6d5c4b3")
SPARE = "d4c3b2a1-0f9e-4d8c-9b7a-6f5e4d3c2b1a"
"""An identity that signs in only while it is linked to an account."""
KEEP = 3
MEMORY = Path("/dev/shm")
"""Where writes need not wait for a disk: what a crash leaves is another test's business."""
BACK_S = 23 * 3600
WAITS = (0.5, 1, 5, 29, 30, 31, 60, 3600, 7199, 7201, DAY_S - 7200, DAY_S, 7 * DAY_S, 14 * DAY_S)
PAUSES = (0, 0.5, 29, 29.5, 30, 31)

players = st.sampled_from(PLAYERS)
identities = st.sampled_from((*PLAYERS, SPARE, SPARE))
twins = st.integers(0, 1)
gens = st.integers(0, 3)
# Drawn as a number: which logins live can depend on chance, and then so would what there is to draw from.
logins = st.runner().flatmap(lambda machine: st.integers(0, 59).map(machine.in_reach))
with_logins = precondition(lambda machine: bool(machine.model.logins))


class LoginFrame(RuleBasedStateMachine):
    """Two processes, a few players, and their logins. `seen` counts what happened."""

    seen: ClassVar[Counter[str]] = Counter()
    postgres: ClassVar[Postgres | None] = None
    """Where the database is; otherwise it is of SQLite."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = False
        self.clock = ManualClock()
        self.latest = self.clock.wall()
        self.model = Model(KEEP)
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.path = Path(self.folder.name)
        self.database = ExitStack()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.open = [AsyncExitStack(), AsyncExitStack()]
        self.twins: list[Twin] = []
        self.tickets: list[tuple[str, int, Login, int, float]] = []

    # ---- the frame

    @initialize(single=st.booleans())
    def start(self, single: bool) -> None:
        self.settings = SESSION.model_copy(update={"families_per_account": KEEP, "single_session": single})
        self.model = Model(1 if single else KEEP)
        self.url = f"sqlite:///{self.path / 'lockgate.db'}"
        if self.postgres is not None:
            self.url = self.database.enter_context(self.postgres.database())
        for number in (0, 1):
            self.twins.append(self.run(self.started(number)))

    async def started(self, number: int) -> Twin:
        twin = running_twin(self.path, self.url, self.settings, self.clock)
        return await self.open[number].enter_async_context(twin)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        self.sound = False
        with capture_logs() as logged:
            outcome = self.runner.run(work)
        self.alarms = [event["family_id"] for event in logged if event["event"] == "refresh_reused"]
        return outcome

    def in_reach(self, number: int) -> Login:
        """Every login has a number, and one that lives has many."""
        found = list(self.model.logins.values())
        found += 4 * [login for login in found if not login.ended]
        return found[number % len(found)]

    @property
    def now(self) -> float:
        return self.clock.wall()

    def ended(self, news: set[str], by: int | None) -> None:
        """These logins have ended now: one process knows, if it was one that did it, the others do not."""
        for number, twin in enumerate(self.twins):
            told = twin.news()
            assert len(set(told)) == len(told)
            if number == by:
                assert set(told) <= news
                assert {
                    self.model.logins[one].may_be_cleaned_away(self.latest) for one in news - set(told)
                } <= {True}
            else:
                assert told == []
                twin.behind |= news

    async def look(self, number: int) -> None:
        """Let a process learn what others decided; it closes the sockets of exactly these logins."""
        twin = self.twins[number]
        await twin.gate.feed.poll()
        told = twin.news()
        assert len(set(told)) == len(told)
        assert set(told) <= twin.behind
        missed = twin.behind - set(told)
        assert {self.model.logins[one].may_be_cleaned_away(self.latest) for one in missed} <= {True}
        twin.behind.clear()

    def all_look(self) -> None:
        for number in (0, 1):
            self.run(self.look(number))

    @invariant()
    def every_session_token_is_good_exactly_when_it_should_be(self) -> None:
        for twin in self.twins:
            for login in self.model.logins.values():
                if login.id in twin.behind:
                    continue
                for gen, pair in enumerate(login.pairs):
                    claims = twin.gate.tokens.check_session(pair.token)
                    good = login.opens(gen, self.now)
                    assert (claims is not None) is good, f"generation {gen} of {login}"
        self.sound = True

    # ---- logging in, and time

    @rule(who=identities, at=twins, after=st.sampled_from((0, 1, 60)))
    def log_in(self, who: str, at: int, after: int) -> None:
        self.wait(after)
        if who == SPARE and who not in self.model.account_of:
            return
        status, answer = self.run(self.twins[at].login(who))
        if who in self.model.banned:
            assert status == 403
            return
        assert status == 200
        login = self.model.start(who, answer, self.now)
        self.ended(self.crowded_out(login, {item.family_id for item in self.twins[at].gate.ended}), at)

    def crowded_out(self, login: Login, told: set[str]) -> set[str]:
        """Which logins the new one ended: the oldest, as many as there are too many."""
        others = [one for one in self.model.living(login.account, self.now) if one is not login]
        gone = [one for one in others if one.id in told]
        stay = [one for one in others if one.id not in told]
        assert len(stay) == min(len(others), self.model.keep - 1)
        if gone and stay:
            assert max(one.made_at for one in gone) <= min(one.made_at for one in stay)
        over = [one for one in self.model.of(login.account) if not one.ended and one.id in told]
        self.seen["crowded out"] += bool(gone)
        return self.model.end(over, "crowded out")

    @rule(who=players, count=st.integers(2, 5))
    def log_in_at_once(self, who: str, count: int) -> None:
        if who in self.model.banned:
            return

        async def all_at_once() -> list[tuple[int, dict[str, Any]]]:
            answers = await asyncio.gather(*(self.twins[n % 2].login(who) for n in range(count)))
            # Whoever made the account is told first.
            return sorted(answers, key=lambda answer: "created" not in answer[1])

        self.all_look()
        before = len(self.model.living(self.model.account_of.get(who, ""), self.now))
        answers = self.run(all_at_once())
        assert {status for status, _ in answers} == {200}
        made = [self.model.start(who, answer, self.now) for _, answer in answers]
        told = {one for twin in self.twins for one in twin.news()}
        news = self.model.end(
            (one for one in self.model.of(made[0].account) if one.id in told), "crowded out"
        )
        assert news == told
        assert len(self.model.living(made[0].account, self.now)) == min(before + count, self.model.keep)
        assert not all(login.ended for login in made)
        for twin in self.twins:
            twin.behind |= news
        for number in (0, 1):
            self.run(self.twins[number].gate.feed.poll())
            assert set(self.twins[number].news()) <= news
            self.twins[number].behind -= news

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        """A process that runs looks twice a second, so none is left behind for long."""
        if seconds > 60:
            self.all_look()
        self.clock.advance(seconds)
        self.latest = max(self.latest, self.now)

    @rule(seconds=st.sampled_from((1, 45, 7200, BACK_S)))
    def set_the_clock_back(self, seconds: int) -> None:
        self.clock.set_back(max(0, min(seconds, BACK_S - (self.latest - self.now))))

    # ---- refreshing

    @with_logins
    @rule(login=logins, at=twins, lost=st.booleans())
    def refresh(self, login: Login, at: int, lost: bool) -> None:
        """Its client refreshes, or repeats what got no answer; and gets the answer, or does not."""
        late = login.held < len(login.pairs) - 1 and login.fate(login.held, self.now) is not Fate.SAME
        honest = not login.abused and not late
        status = self.run(self.shown(login, login.held, at))
        if honest and not login.ended and self.now < login.pairs[login.held].refresh_exp:
            assert status == 200, f"an honest client is locked out of {login}"
        login.abused |= late
        if status == 200 and not lost:
            login.held = len(login.pairs) - 1
        self.closed_by_alarm(login, at)

    @with_logins
    @rule(login=logins, at=twins, pause=st.sampled_from(PAUSES))
    def lose_an_answer_and_ask_again(self, login: Login, at: int, pause: float) -> None:
        self.refresh(login, at, lost=True)
        self.wait(pause)
        self.refresh(login, 1 - at, lost=False)

    @with_logins
    @rule(login=logins, back=gens, at=twins)
    def steal(self, login: Login, back: int, at: int) -> None:
        """Somebody else uses a refresh token, new or old."""
        login.abused = True
        self.run(self.shown(login, max(0, len(login.pairs) - 1 - back), at))
        self.closed_by_alarm(login, at)

    async def shown(self, login: Login, gen: int, at: int) -> int:
        """Show a refresh token. Fails if the answer is not what its fate says; the model goes along."""
        fate = login.fate(gen, self.now)
        self.seen[fate.name.lower()] += 1
        status, answer = await self.twins[at].refresh(login.pairs[gen].refresh_token)
        assert status == (200 if fate in (Fate.NEXT, Fate.SAME) else 401), (fate, status, login)
        if fate is Fate.NEXT:
            self.model.rotate(login, answer, self.now)
        elif fate is Fate.SAME:
            present = login.pairs[-1]
            assert answer == {"token": present.token, "refresh_token": present.refresh_token}
        elif fate is Fate.ALARM:
            assert login.abused or gen == login.held
            self.model.end([login], "stolen")
            self.stolen = login.id
        return status

    def closed_by_alarm(self, login: Login, at: int) -> None:
        """An alarm was raised exactly if there was cause, and the login's sockets were told to close."""
        stolen, self.stolen = self.stolen, ""
        assert self.alarms == ([stolen] if stolen else [])
        self.ended({stolen} - {""}, at)

    stolen = ""

    @with_logins
    @rule(login=logins, count=st.integers(2, 6))
    def refresh_in_several_tabs_at_once(self, login: Login, count: int) -> None:
        fate = login.fate(login.held, self.now)
        if fate not in (Fate.NEXT, Fate.SAME):
            return

        async def all_at_once() -> list[tuple[int, dict[str, Any]]]:
            token = login.pairs[login.held].refresh_token
            return await asyncio.gather(
                *(self.twins[n % 2].refresh(token, {"tab": str(n)}) for n in range(count))
            )

        (status, answer), *others = self.run(all_at_once())
        assert status == 200
        assert others == [(status, answer)] * (count - 1)
        if fate is Fate.NEXT:
            self.model.rotate(login, answer, self.now)
        assert answer["refresh_token"] == login.pairs[-1].refresh_token
        assert self.alarms == []
        login.held = len(login.pairs) - 1
