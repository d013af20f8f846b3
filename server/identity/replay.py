"""Identity tokens that are shown more than once: counted, or refused where each may be used once only.

A token is known by (issuer, `jti`), kept as a digest of fixed length, since both are texts of any length.
Which tokens were used up is in the database; here is what that means to whoever shows one.
"""

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from server.identity.failures import TokensNotKept, Unauthenticated
from server.identity.identity import Identity
from server.identity.verify import RefusalReason
from server.storage.spent_tokens import NoRoom, Spending, TokenSpent

REMEMBERED = 65_536

log = structlog.get_logger("lockgate.identity")


class Replay:
    """The rule for tokens that come again: `single_use` refuses them, otherwise they are counted.

    Refusals are counted in `refused`, which is the bridge's.
    """

    def __init__(
        self, *, single_use: bool, refused: Counter[RefusalReason], remembered: int = REMEMBERED
    ) -> None:
        self._single_use = single_use
        self._remembered = remembered
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.repeated = 0
        """Logins with a token that had signed in before; a lower bound, since old tokens are forgotten."""
        self._refused = refused
        self.not_kept = 0
        """Uses refused because there was no room to remember the token."""

    def __len__(self) -> int:
        return len(self._seen)

    def spending(self, identity: Identity, use_id: str) -> Spending | None:
        """What to use up with the use that is called `use_id`; None if tokens may come again.

        Raises `Unauthenticated` for a token that cannot be told from others.
        """
        if not self._single_use:
            return None
        if identity.token_id is None:
            raise self._deny(RefusalReason.TOKEN_ID, identity)
        return Spending(token_digest(identity.issuer, identity.token_id), identity.token_exp, use_id)

    @contextmanager
    def answered(self, identity: Identity) -> Iterator[None]:
        """Around a write that uses the token up. Raises `Unauthenticated` and `TokensNotKept` instead."""
        try:
            yield
        except TokenSpent:
            raise self._deny(RefusalReason.REPLAYED, identity) from None
        except NoRoom:
            self.not_kept += 1
            if self.not_kept == 1:
                log.error("spent_tokens_full", setting="identity.single_use_tokens")
            raise TokensNotKept from None

    def note_login(self, identity: Identity) -> None:
        """Count a login whose token signed in before. When too many are known, the oldest is forgotten."""
        if self._single_use or identity.token_id is None:
            return
        digest = token_digest(identity.issuer, identity.token_id)
        if digest in self._seen:
            self.repeated += 1
            return
        self._seen[digest] = None
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)

    def _deny(self, reason: RefusalReason, identity: Identity) -> Unauthenticated:
        self._refused[reason] += 1
        log.info("identity_refused", reason=reason.value, issuer=identity.issuer)
        return Unauthenticated("Identity token invalid")


def token_digest(issuer: str, token_id: str) -> str:
    """64 hexadecimal digits that stand for this token of this issuer."""
    # As JSON the two texts cannot run into each other, and lone surrogates have a form too.
    return hashlib.sha256(json.dumps([issuer, token_id]).encode()).hexdigest()
