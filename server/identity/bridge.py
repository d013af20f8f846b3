"""The outer gate: an identity provider's token becomes an account and a login of ours.

Whatever identity a caller writes beside the token is not asked for. Knows nothing of HTTP.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from server.clock import Clock
from server.identity import usernames, verify
from server.identity.before_authenticate import BeforeAuthenticate
from server.identity.failures import NotAllowed, NotFound, RequestInvalid, Unauthenticated
from server.identity.identity import Identity
from server.identity.keyset import VerifyKey
from server.identity.limits import LoginLimits
from server.identity.replay import Replay
from server.identity.revocation import Revocations
from server.identity.session_vars import SessionVars
from server.identity.tokens import Subject, Tokens
from server.ids import Ids
from server.sections import IdentitySettings
from server.storage.bans import Banned
from server.storage.families import MadeOf, NewFamily
from server.storage.store import FAMILIES, LoggedIn, Store

LOGGED_KID = 64
BANNED = "User account banned."

log = structlog.get_logger("lockgate.identity")


class KeySource(Protocol):
    """Where the bridge gets an issuer's keys."""

    async def key(self, issuer: str, kid: str) -> VerifyKey | None:
        """None: the issuer has no such key. Raises `KeysUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was made and written."""

    created: bool
    user_id: str
    username: str
    family_id: str
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class Bridge:
    """Signs players in. `accepted` and `refused` count identity tokens, those by the check that failed."""

    def __init__(
        self,
        settings: IdentitySettings,
        keys: KeySource,
        store: Store,
        tokens: Tokens,
        revocations: Revocations,
        clock: Clock,
        ids: Ids,
        before_authenticate: BeforeAuthenticate | None = None,
        *,
        families: int = FAMILIES,
    ) -> None:
        """`families`: how many logins an account may have; one more ends the oldest."""
        self._revocations = revocations
        self._families = families
        self._before_authenticate = before_authenticate
        self._issuers = {issuer.issuer: issuer for issuer in settings.issuers}
        self._allow_client_username = settings.allow_client_username
        self._vars = SessionVars(settings.issuers)
        self.limits = LoginLimits(settings, clock)
        self._keys = keys
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self.accepted = 0
        self.refused: Counter[verify.RefusalReason] = Counter(dict.fromkeys(verify.RefusalReason, 0))
        self.replay = Replay(single_use=settings.single_use, refused=self.refused)

    async def login(
        self, id_token: object, client_vars: Mapping[str, str], *, create: bool, wanted_username: str | None
    ) -> Login:
        """Verify the token and start a login of its player's account, made if need be.

        Raises `NotFound` (no account and `create` is false), `NotAllowed` (banned), `TooManyLogins`,
        `TokensNotKept`, what `identify` does, and for the game's hook `PlayerRefused`, `Unfinished` and
        `GameFault`. Call `limits.admit_address` first: that limit is about the work done here.
        """
        identity = await self.identify(id_token)
        self.limits.admit_subject(identity.issuer, identity.subject)
        if self._before_authenticate is not None:
            await self._before_authenticate.check(identity)
        claim_vars = self._vars.of_claims(identity)
        session_vars = self._vars.merged(client_vars, claim_vars)
        username = self._username(identity, wanted_username)
        now = int(self._clock.wall())
        absolute_exp = self._tokens.absolute_exp(now)
        terms = self._tokens.terms(now, absolute_exp)
        family = NewFamily(
            id=self._ids.uuid4(),
            issuer=identity.issuer,
            subject=identity.subject,
            claim_vars=claim_vars,
            created_at=now,
            absolute_exp=absolute_exp,
            made_of=MadeOf(0, session_vars, now, terms),
        )
        account = await self._write(identity, family, create=create, username=username)
        if account is None:
            raise NotFound("User account not found.")
        self._revocations.add(account.ended)
        self.replay.note_login(identity)
        subject = Subject(account.account_id, account.username, family.id, session_vars, now)
        pair = self._tokens.mint(subject, terms)
        log.info("session_issued", user_id=account.account_id, family_id=family.id, created=account.created)
        return Login(
            account.created, account.account_id, account.username, family.id, pair.token, pair.refresh_token
        )

    async def _write(
        self, identity: Identity, family: NewFamily, *, create: bool, username: str | None
    ) -> LoggedIn | None:
        try:
            with self.replay.answered(identity):
                return await self._store.login(
                    family,
                    create=create,
                    username=username,
                    display_name=self._display_name(identity),
                    token=self.replay.spending(identity, family.id),
                    keep=self._families,
                )
        except Banned:
            log.info("login_banned", issuer=identity.issuer, subject=identity.subject)
            raise NotAllowed(BANNED) from None

    async def identify(self, id_token: object) -> Identity:
        """Verify the token. Raises `RequestInvalid`, `Unauthenticated` and `KeysUnavailable`."""
        if not isinstance(id_token, str) or not id_token:
            raise RequestInvalid("Custom ID is required.")
        try:
            parsed = verify.parse(id_token, self._issuers)
            key = await self._keys.key(parsed.settings.issuer, parsed.kid)
            identity = verify.check(parsed, key, self._clock.wall())
        except verify.Refused as refused:
            # The key id is the peer's text, so only the beginning of it is written down.
            kid = None if refused.kid is None else refused.kid[:LOGGED_KID]
            self.refused[refused.reason] += 1
            log.info("identity_refused", reason=refused.reason.value, kid=kid, issuer=refused.issuer)
            raise Unauthenticated("Identity token invalid") from None
        self.accepted += 1
        log.info("identity_accepted", kid=parsed.kid[:LOGGED_KID], issuer=identity.issuer)
        return identity

    def _username(self, identity: Identity, wanted: str | None) -> str | None:
        if self._allow_client_username and wanted:
            return usernames.check(wanted)
        return usernames.usable(identity.claims.get(self._issuers[identity.issuer].username_claim))

    def _display_name(self, identity: Identity) -> str:
        claim = self._issuers[identity.issuer].display_name_claim
        return usernames.usable_display_name(identity.claims.get(claim)) if claim else ""
