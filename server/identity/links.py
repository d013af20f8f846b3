"""Several identities of one account: a player adds one they can prove, and takes away all but the last.

Both ask for a token of the identity in question, verified as at a login. Knows nothing of HTTP.
"""

import structlog

from server.clock import Clock
from server.identity.bridge import BANNED, Bridge
from server.identity.failures import InUse, NotAllowed, NotFound, RequestInvalid
from server.identity.identity import Identity
from server.identity.revocation import Revocations
from server.ids import Ids
from server.storage.bans import Banned
from server.storage.links import IdentityName, Link
from server.storage.store import Store

log = structlog.get_logger("lockgate.identity")


class Links:
    """Links and unlinks identities, at most `limit` to an account."""

    def __init__(
        self, bridge: Bridge, store: Store, revocations: Revocations, clock: Clock, ids: Ids, *, limit: int
    ) -> None:
        self._bridge = bridge
        self._store = store
        self._revocations = revocations
        self._clock = clock
        self._ids = ids
        self._limit = limit
        self.linked = 0
        self.unlinked = 0

    async def link(self, user_id: str, id_token: object) -> None:
        """Let the token's identity sign in to this account too; one that does already is no error.

        Raises `InUse` (it is another account's), `RequestInvalid` (the account has enough), `NotFound` (it is
        gone), `NotAllowed` (it or the account is banned), and what `Bridge.identify` does.
        """
        identity = await self._bridge.identify(id_token)
        name = IdentityName(identity.issuer, identity.subject)
        match await self._write(user_id, identity, name):
            case Link.MADE:
                self.linked += 1
                log.info("identity_linked", user_id=user_id, issuer=name.issuer, subject=name.subject)
            case Link.OWN:
                pass
            case Link.TAKEN:
                raise InUse("Custom ID is already in use.")
            case Link.FULL:
                raise RequestInvalid(f"Too many identities linked, must be at most {self._limit}.")
            case Link.NO_ACCOUNT:
                raise NotFound("Account not found.")

    async def unlink(self, user_id: str, id_token: object, *, keep: str = "") -> None:
        """Let the token's identity no longer sign in to this account. The logins it made end, but for `keep`.

        Raises `NotAllowed` for the last identity and for one that is not this account's, with one text as
        the reference does, and what `Bridge.identify` does.
        """
        identity = await self._bridge.identify(id_token)
        token = self._bridge.replay.spending(identity, self._ids.uuid4())
        name = IdentityName(identity.issuer, identity.subject)
        with self._bridge.replay.answered(identity):
            ended = await self._store.unlink(
                user_id, name, now=int(self._clock.wall()), keep=keep, token=token
            )
        if ended is None:
            raise NotAllowed(
                "Cannot unlink last account identifier. Check profile exists and is not last link."
            )
        self._revocations.add(ended)
        self.unlinked += 1
        log.info(
            "identity_unlinked",
            user_id=user_id,
            issuer=name.issuer,
            subject=name.subject,
            families=len(ended),
        )

    async def _write(self, user_id: str, identity: Identity, name: IdentityName) -> Link:
        token = self._bridge.replay.spending(identity, self._ids.uuid4())
        try:
            with self._bridge.replay.answered(identity):
                return await self._store.link(
                    user_id, name, now=int(self._clock.wall()), limit=self._limit, token=token
                )
        except Banned:
            raise NotAllowed(BANNED) from None
