"""A login after it was made: refreshed, and ended by its player.

The database decides: a refresh is one statement there, an ending is on disk before it is answered. What an
ended login holds open is closed by whoever listens to `Revocations`. Knows nothing of HTTP.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from server.clock import Clock
from server.identity.failures import Denied, NotFound, RequestInvalid, Unauthenticated
from server.identity.limits import RefreshLimits
from server.identity.revocation import Revocations
from server.identity.rotation import Verdict, judge
from server.identity.session_vars import SessionVars
from server.identity.tokens import Pair, RefreshClaims, SessionClaims, Subject, Tokens
from server.sections import IssuerSettings, SessionSettings
from server.storage.families import Family, MadeOf, Terms
from server.storage.revocations import Ended, Revoked
from server.storage.store import Store
from server.tasks import TaskOwner

INVALID_REFRESH = "Refresh token invalid or expired."
ATTEMPTS = 8
"""Looks at a login whose generation moves between the look and the rotation."""

log = structlog.get_logger("lockgate.identity")


class Logins:
    """Refresh, log out, delete. `judged` counts what became of refresh tokens that were ours."""

    def __init__(
        self,
        issuers: Sequence[IssuerSettings],
        settings: SessionSettings,
        store: Store,
        tokens: Tokens,
        revocations: Revocations,
        clock: Clock,
        tasks: TaskOwner,
    ) -> None:
        self._vars = SessionVars(issuers)
        self._grace_s = settings.refresh_grace_s
        self.limits = RefreshLimits(settings, clock)
        self._store = store
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock
        self._tasks = tasks
        self._in_flight: dict[tuple[str, int], asyncio.Task[Pair | Denied]] = {}
        self.judged: Counter[Verdict] = Counter(dict.fromkeys(Verdict, 0))
        self.joined = 0
        """Refreshes answered by one that was under way."""

    async def refresh(self, token: str, client_vars: Mapping[str, str]) -> Pair:
        """The successors of a refresh token, with its account's present name.

        The client's variables, if any, take the place of those it gave before; of several requests with one
        token the first decides. Raises `RequestInvalid`, `Unauthenticated` and `TooManyRefreshes`.
        """
        if not token:
            raise RequestInvalid("Refresh token is required.")
        claims = self._tokens.check_refresh(token)
        if claims is None:
            raise Unauthenticated(INVALID_REFRESH)
        key = claims.family_id, claims.gen
        task = self._in_flight.get(key)
        if task is None:
            task = self._tasks.spawn("refresh", self._outcome(claims, client_vars))
            self._in_flight[key] = task
            task.add_done_callback(lambda _: self._in_flight.pop(key))
        else:
            self.joined += 1
        # A caller who goes away takes nobody's answer along, and no half of a rotation.
        outcome = await asyncio.shield(task)
        if isinstance(outcome, Denied):
            raise outcome
        return outcome

    async def logout(self, caller: SessionClaims, token: str, refresh_token: str) -> None:
        """End the logins of the tokens given, or every login of the caller when none is.

        Raises `RequestInvalid` for a token that is not valid or another player's.
        """
        shown = set()
        if token:
            session = self._tokens.check_session(token)
            if session is None or session.user_id != caller.user_id:
                raise RequestInvalid("Session token invalid.")
            shown.add(session.family_id)
        if refresh_token:
            refresh = self._tokens.check_refresh(refresh_token)
            if refresh is None or refresh.user_id != caller.user_id:
                raise RequestInvalid("Refresh token invalid.")
            shown.add(refresh.family_id)
        now = int(self._clock.wall())
        families = self._store.families
        if shown:
            ended = await families.revoke(shown, now=now, reason=Ended.LOGOUT)
        else:
            ended = await families.revoke_account(caller.user_id, now=now, reason=Ended.LOGOUT_ALL)
        self._end(ended)
        log.info("logged_out", user_id=caller.user_id, families=len(ended), everywhere=not shown)

    async def end(self, family_id: str, reason: Ended) -> None:
        """End one login."""
        now = int(self._clock.wall())
        self._end(await self._store.families.revoke([family_id], now=now, reason=reason))

    async def delete_account(self, caller: SessionClaims) -> None:
        """Remove the caller's account, its data and its logins. Raises `NotFound` if that has happened."""
        ended = await self._store.delete(caller.user_id, now=int(self._clock.wall()))
        if ended is None:
            raise NotFound("Account not found.")
        self._end(ended)
        log.info("account_deleted", user_id=caller.user_id, families=len(ended))

    async def _outcome(self, claims: RefreshClaims, client_vars: Mapping[str, str]) -> Pair | Denied:
        """A refusal is a result here: a task that raises is a bug."""
        try:
            return await self._refresh(claims, client_vars)
        except Denied as refusal:
            return refusal

    async def _refresh(self, claims: RefreshClaims, client_vars: Mapping[str, str]) -> Pair:
        charged = False
        for _ in range(ATTEMPTS):
            family = await self._store.families.find(claims.family_id)
            now = self._clock.wall()
            verdict = judge(family, claims.user_id, claims.gen, now=now, grace_s=self._grace_s)
            if family is None or verdict is Verdict.OVER:
                self.judged[Verdict.OVER] += 1
                raise Unauthenticated(INVALID_REFRESH)
            if verdict is Verdict.REUSE:
                await self._stolen(family, claims)
            if verdict is Verdict.REPEAT:
                self.judged[verdict] += 1
                log.info("refresh_repeated", user_id=family.account_id, family_id=family.id)
                return self._mint(family, family.username, family.made_of)
            if not charged:
                self.limits.admit_family(family.id)
                charged = True
            if (pair := await self._rotate(family, claims, client_vars)) is not None:
                return pair
        raise AssertionError("a login's generation moved at every attempt to refresh it")

    async def _rotate(
        self, family: Family, claims: RefreshClaims, client_vars: Mapping[str, str]
    ) -> Pair | None:
        """None: another refresh was faster, or the login has just ended."""
        now = int(self._clock.wall())
        made_of = MadeOf(
            gen=claims.gen + 1,
            vars=self._vars.merged(client_vars or claims.vars, family.claim_vars),
            made_at=now,
            terms=_no_sooner(self._tokens.terms(now, family.absolute_exp), family.made_of.terms),
        )
        name = family.present_name
        if not await self._store.families.rotate(family.id, claims.gen, made_of, username=name):
            return None
        self.judged[Verdict.ROTATE] += 1
        log.info("session_refreshed", user_id=family.account_id, family_id=family.id, gen=made_of.gen)
        return self._mint(family, name, made_of)

    async def _stolen(self, family: Family, claims: RefreshClaims) -> None:
        """Two hold one login: it ends for both. Raises `Unauthenticated`."""
        self.judged[Verdict.REUSE] += 1
        log.warning(
            "refresh_reused",
            user_id=family.account_id,
            family_id=family.id,
            gen=claims.gen,
            present_gen=family.made_of.gen,
        )
        await self.end(family.id, Ended.REUSE)
        raise Unauthenticated(INVALID_REFRESH)

    def _mint(self, family: Family, username: str, made_of: MadeOf) -> Pair:
        subject = Subject(
            family.account_id, username, family.id, made_of.vars, family.created_at, made_of.gen
        )
        return self._tokens.mint(subject, made_of.terms)

    def _end(self, ended: Sequence[Revoked]) -> None:
        self._revocations.add(ended)


def _no_sooner(terms: Terms, before: Terms) -> Terms:
    """What is known of a login's end is its newest tokens': no older one may last longer than they do.

    Without this a clock that was set back left tokens that are good for longer than their end is remembered.
    """
    return replace(
        terms,
        session_exp=max(terms.session_exp, before.session_exp),
        refresh_exp=max(terms.refresh_exp, before.refresh_exp),
    )
