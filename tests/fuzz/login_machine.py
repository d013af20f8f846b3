"""The state machine of `test_login_lives.py`: what may happen to logins, and what must then be so."""

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from structlog.testing import capture_logs

from server.config import Settings
from server.identity.key_file import KeyFile
from server.identity.key_rotation import rotate
from server.identity.signingkeys import USES, KeyFileError
from server.sections import SessionSettings
from server.storage.links import IdentityName
from server.storage.revocations import Ended
from tests.fuzz.login_frame import (
    PLAYERS,
    SPARE,
    LoginFrame,
    gens,
    identities,
    logins,
    twins,
    with_logins,
)
from tests.support import issuer
from tests.support.login_model import DAY_S, Fate, Login
from tests.support.site import bearer
from tests.support.twin import Twin


class LoginLives(LoginFrame):
    """Logins that end, in every way there is."""

    # ---- ending

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
