"""A login after it was made: refreshed, and ended.

The database decides: a refresh reads account and family again, a logout is on disk before it is answered.
Closing the sockets of an ended login is the caller's part, which is told their families.
"""

from collections.abc import Mapping, Sequence

import structlog

from server.clock import Clock
from server.config import IssuerSettings
from server.identity.failures import RequestInvalid, Unauthenticated
from server.identity.revocation import Revocations
from server.identity.session_vars import SessionVars
from server.identity.tokens import Pair, SessionClaims, Subject, Tokens
from server.storage.store import Store

INVALID_REFRESH = "Refresh token invalid or expired."

log = structlog.get_logger("lockgate.identity")


class Logins:
    """Refresh and log out. You must `start` it before tokens are checked."""

    def __init__(
        self,
        issuers: Sequence[IssuerSettings],
        store: Store,
        tokens: Tokens,
        revocations: Revocations,
        clock: Clock,
    ) -> None:
        self._vars = SessionVars(issuers)
        self._store = store
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock

    async def start(self) -> None:
        """Load the revocations that a restart must not forget."""
        self._revocations.add(await self._store.families.revoked(int(self._clock.wall())))

    async def refresh(self, token: str, client_vars: Mapping[str, str]) -> Pair:
        """A new pair for the login of this refresh token, with its account's present name.

        The client's variables, if any, take the place of those it gave before. Raises `RequestInvalid`
        and `Unauthenticated`.
        """
        if not token:
            raise RequestInvalid("Refresh token is required.")
        claims = self._tokens.check_refresh(token)
        if claims is None:
            raise Unauthenticated(INVALID_REFRESH)
        family = await self._store.families.find(claims.family_id)
        if family is None or family.account_id != claims.user_id:
            raise Unauthenticated(INVALID_REFRESH)
        session_vars = self._vars.merged(client_vars or claims.vars, family.claim_vars)
        now = int(self._clock.wall())
        session_exp = self._tokens.session_exp(now, family.absolute_exp)
        if not await self._store.families.use(family.id, now=now, session_exp=session_exp):
            raise Unauthenticated(INVALID_REFRESH)
        subject = Subject(
            family.account_id,
            family.username,
            family.id,
            session_vars,
            claims.issued_at,
            family.absolute_exp,
            family.gen,
        )
        pair = self._tokens.mint_pair(subject, now=now)
        log.info("session_refreshed", user_id=family.account_id, family_id=family.id)
        return pair

    async def logout(self, caller: SessionClaims, token: str, refresh_token: str) -> frozenset[str]:
        """End the logins of the tokens given, or every login of the caller when none is.

        Returns the ended families, once that is durable. Raises `RequestInvalid` for a token that is not
        valid or another player's.
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
        if shown:
            revoked = await self._store.families.revoke(shown, now=now, reason="logout")
        else:
            revoked = await self._store.families.revoke_account(caller.user_id, now=now, reason="logout_all")
        self._revocations.add(revoked)
        families = frozenset(item.family_id for item in revoked)
        log.info("logged_out", user_id=caller.user_id, families=len(families), everywhere=not shown)
        return families
