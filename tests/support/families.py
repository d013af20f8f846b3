"""Logins to be written straight into a store."""

from collections.abc import Mapping

from server.storage.families import MadeOf, NewFamily, Terms
from server.storage.store import Store
from tests.support.issuer import ALICE, ISSUER

NOW = 1_800_000_000
SESSION_S = 7200
IDLE_S = 14 * 86_400
MAX_S = 90 * 86_400


def new_family(
    family_id: str,
    subject: str = ALICE,
    *,
    issuer: str = ISSUER,
    now: int = NOW,
    session_vars: Mapping[str, str] | None = None,
) -> NewFamily:
    """A login made at `now`, with the default lifetimes."""
    terms = Terms("session-key", "refresh-key", now + SESSION_S, now + IDLE_S)
    made_of = MadeOf(0, session_vars or {}, now, terms)
    return NewFamily(family_id, issuer, subject, {"role": "guest"}, now, now + MAX_S, made_of)


async def login(
    store: Store, subject: str, family_id: str, username: str | None = None, *, now: int = NOW
) -> str:
    """Log a player in, and give the name of the account."""
    made = await store.login(new_family(family_id, subject, now=now), create=True, username=username)
    assert made is not None
    return made.username
