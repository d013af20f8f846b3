"""The state machine of `test_login_lives.py`: what may happen to logins, and what must then be so."""

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

from server.config import SessionSettings, Settings
from server.identity.key_file import KeyFile
from server.identity.key_rotation import rotate
from server.identity.signingkeys import USES, KeyFileError
from server.storage.links import IdentityName
from server.storage.revocations import Ended
from tests.support import issuer
from tests.support.clock import ManualClock
from tests.support.login_model import DAY_S, Fate, Login, Model
from tests.support.postgres import Postgres
from tests.support.site import SESSION, bearer
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


class LoginLives(RuleBasedStateMachine):
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

    def teardown(self) -> None:
        try:
            if self.sound:  # after a failure, looking further would only hide it
                self.run(self.reckoning())
        finally:
            with capture_logs():
                for stack in self.open:
                    self.runner.run(stack.aclose())
            self.runner.close()
            self.database.close()
            self.folder.cleanup()

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

    @with_logins
    @rule(login=logins, by=logins, at=twins)
    def refresh_while_logging_out(self, login: Login, by: Login, at: int) -> None:
        """Whichever is faster, the login has ended, and what the refresh may have got is worth nothing."""
        if (
            by.account != login.account
            or not self.may_call(by, at)
            or login.fate(login.held, self.now) is not Fate.NEXT
        ):
            return
        body = {"refresh_token": login.pairs[login.held].refresh_token}

        async def both() -> tuple[tuple[int, dict[str, Any]], tuple[int, dict[str, Any]]]:
            return await asyncio.gather(
                self.twins[1 - at].refresh(body["refresh_token"]),
                self.twins[at].call("POST", "/v2/session/logout", bearer(by.pairs[-1].token), body),
            )

        (refreshed, answer), (left, _) = self.run(both())
        assert left == 200
        assert refreshed in (200, 401)
        if refreshed == 200:
            self.model.rotate(login, answer, self.now)
        self.ended(self.model.end([login], "logged out"), at)

    # ---- ending

    def may_call(self, login: Login, at: int) -> bool:
        """Whether its newest session token is good in this process, which knows all by then."""
        self.run(self.look(at))
        return login.opens(len(login.pairs) - 1, self.now)

    @with_logins
    @rule(
        by=logins,
        session_of=st.none() | logins,
        refresh_of=st.none() | logins,
        back=gens,
        at=twins,
    )
    def log_out(
        self, by: Login, session_of: Login | None, refresh_of: Login | None, back: int, at: int
    ) -> None:
        """With any session token and any refresh token that there ever was, or none."""
        called = self.may_call(by, at)
        body, good, shown = {}, True, []
        if session_of is not None:
            gen = max(0, len(session_of.pairs) - 1 - back)
            body["token"] = session_of.pairs[gen].token
            good = session_of.opens(gen, self.now) and session_of.account == by.account
            shown.append(session_of)
        if refresh_of is not None:
            gen = max(0, len(refresh_of.pairs) - 1 - back)
            pair = refresh_of.pairs[gen]
            if refresh_of.ended and pair.exp + DAY_S <= self.latest < pair.refresh_exp:
                return  # by then only the database knows that it has ended; ended once more, it is no worse
            body["refresh_token"] = pair.refresh_token
            live = not refresh_of.ended and self.now < pair.refresh_exp
            good &= live and refresh_of.account == by.account
            shown.append(refresh_of)
        call = self.twins[at].call("POST", "/v2/session/logout", bearer(by.pairs[-1].token), body)
        status, _ = self.run(call)
        assert status == (401 if not called else 200 if good else 400), (status, called, good)
        if status == 200:
            self.seen["logged out"] += 1
            self.ended(self.model.end(shown or self.model.of(by.account), "logged out"), at)

    @rule(who=identities, what=st.sampled_from(("ban", "unban", "unban", "revoke", "revoke older")))
    def operate(self, who: str, what: str) -> None:
        """An operator works on the database alone: no process knows of it before it looks."""
        account, now = self.model.account_of.get(who), int(self.now)
        store = self.twins[0].gate.store
        names = () if account else (IdentityName(issuer.ISSUER, who),)  # an account's own are found
        if what == "ban":
            self.run(store.bans.ban(account, names, reason="", now=now))
            self.seen["banned"] += 1
            self.ended(self.model.ban(who), None)
        elif what == "unban":
            self.run(store.bans.unban(account, names))
            self.model.unban(who)
        elif account is not None:
            before = now - 60 if what == "revoke older" else None
            revoke = store.families.revoke_account(account, now=now, reason=Ended.OPERATOR, before=before)
            self.run(revoke)
            meant = [one for one in self.model.of(account) if before is None or one.made_at < before]
            self.ended(self.model.end(meant, "revoked"), None)

    @with_logins
    @rule(by=logins, at=twins, sure=st.integers(0, 3))
    def delete_the_account(self, by: Login, at: int, sure: int) -> None:
        if sure < 3:
            return
        called = self.may_call(by, at)
        status, _ = self.run(self.twins[at].call("DELETE", "/v2/account", bearer(by.pairs[-1].token)))
        assert status == (200 if called else 401)
        if called:
            self.seen["deleted"] += 1
            self.ended(self.model.delete(by.account), at)

    # ---- identities

    @with_logins
    @rule(by=logins, who=identities, at=twins, what=st.sampled_from(("link", "unlink")))
    def change_identities(self, by: Login, who: str, at: int, what: str) -> None:
        called = self.may_call(by, at)
        status = self.run(self.with_identity(what, by, who, at))
        if not called:
            assert status == 401
        elif what == "link":
            self.linked(by.account, who, status)
        else:
            own = self.model.identities(by.account)
            assert status == (200 if who in own and len(own) > 1 else 403)
            if status == 200:
                self.seen["unlinked"] += 1
                del self.model.account_of[who]
                made = [one for one in self.model.of(by.account) if one.who == who and one is not by]
                self.ended(self.model.end(made, "unlinked"), at)

    @with_logins
    @rule(by=logins, who=identities, at=twins)
    def borrow_an_identity(self, by: Login, who: str, at: int) -> None:
        self.change_identities(by, who, at, "link")
        self.log_in(who, at, after=0)
        self.change_identities(by, who, 1 - at, "unlink")

    def linked(self, account: str, who: str, status: int) -> None:
        if who in self.model.banned:
            assert status == 403
        elif self.model.account_of.get(who, account) != account:
            assert status == 409
        else:
            assert status == 200
            self.model.account_of[who] = account

    async def with_identity(self, what: str, by: Login, who: str, at: int) -> int:
        body = {"id": issuer.token(self.now, sub=who)}
        path = f"/v2/account/{what}/custom"
        status, _ = await self.twins[at].call("POST", path, bearer(by.pairs[-1].token), body)
        return status

    # ---- the processes

    @rule(at=twins)
    def restart(self, at: int) -> None:
        async def again() -> Twin:
            await self.open[at].aclose()
            return await self.started(at)

        self.twins[at] = self.run(again())
        assert self.twins[at].news() == []
        self.tickets = [held for held in self.tickets if held[1] != at]

    @rule(at=twins)
    def catch_up(self, at: int) -> None:
        self.run(self.look(at))

    @rule(at=twins)
    def clean_up(self, at: int) -> None:
        async def all_pages() -> None:
            while await self.twins[at].gate.feed.purge():
                pass

        self.run(all_pages())

    @rule()
    def rotate_the_keys(self) -> None:
        file = KeyFile(self.path / "keys.json")
        session = SessionSettings(key_file=str(file.path))
        try:
            rotate(Settings(session=session), USES, self.twins[0].gate.ids, self.now)
        except KeyFileError:
            return  # as many as may be
        for twin in self.twins:
            twin.gate.tokens.use_keys(file.read().keys)

    # ---- the doors

    @with_logins
    @rule(login=logins, back=gens, at=twins)
    def knock(self, login: Login, back: int, at: int) -> None:
        """Show a session token at every door."""
        if login.id in self.twins[at].behind:
            return
        self.run(self.knocked(login, max(0, len(login.pairs) - 1 - back), at))

    async def knocked(self, login: Login, gen: int, at: int) -> None:
        opened = await self.twins[at].entrances(login.pairs[gen].token)
        assert set(opened.values()) == {login.opens(gen, self.now)}, (opened, gen, login)

    @with_logins
    @rule(login=logins, at=twins)
    def buy_a_ticket(self, login: Login, at: int) -> None:
        called = self.may_call(login, at)
        gen = len(login.pairs) - 1
        ticket = self.run(self.twins[at].ticket(login.pairs[gen].token))
        assert (ticket is not None) is called
        if ticket is not None:
            self.tickets.append((ticket, at, login, gen, self.clock.monotonic()))

    @rule()
    def show_the_oldest_ticket(self) -> None:
        if not self.tickets:
            return
        ticket, at, login, gen, bought = self.tickets.pop(0)
        self.run(self.look(at))
        opened = self.run(self.twins[at].socket(params={"ticket": ticket}))
        fresh = self.clock.monotonic() < bought + 30
        if login.opens(gen, self.now) and fresh:
            assert opened or sum(held[2] is login for held in self.tickets) >= 8  # it was pushed out
        else:
            assert not opened
        assert not self.run(self.twins[at].socket(params={"ticket": ticket}))

    # ---- the end

    async def reckoning(self) -> None:
        """All knows all; then every refresh token there ever was is used, and every door tried."""
        for number in (0, 1):
            await self.look(number)
        for number, login in enumerate(list(self.model.logins.values())):
            login.abused = True
            order = range(len(login.pairs))
            for gen in order if number % 2 else reversed(order):
                await self.shown(login, gen, number % 2)
        for who in (*PLAYERS, SPARE):
            status, _ = await self.twins[0].login(who)
            assert (status == 403) is (who in self.model.banned)
        for number in (0, 1):
            await self.twins[number].gate.feed.poll()
        for number, login in enumerate(self.model.logins.values()):
            if login.ended:
                for gen in {0, len(login.pairs) - 1}:
                    await self.knocked(login, gen, number % 2)
