"""Our own tokens: HS256 JWTs with the claims that game SDKs parse, minted and checked.

A bounded cache of exact token texts stands before the verification of session tokens; expiry and revocation
are asked on every use, hit or miss. Rotation and the database's word on a refresh are `logins.py`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from server.clock import Clock
from server.identity.revocation import Revocations
from server.identity.signing_ring import SigningRing
from server.identity.signingkeys import SigningKeys, Use
from server.storage.families import Terms

ISSUER = "lockgate"
MATCH_TTL_S = 30
CACHE_SIZE = 16_384


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds: a session token, an unused refresh token, and a login however often it is refreshed."""

    session_s: int
    refresh_idle_s: int
    refresh_max_s: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and which login a pair of tokens is for. Times are whole Unix seconds."""

    user_id: str
    username: str
    family_id: str
    vars: Mapping[str, str]
    issued_at: int
    gen: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """What a login or a refresh hands out, and the terms that it was really made on."""

    terms: Terms
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """A session token that was verified."""

    user_id: str
    username: str
    family_id: str
    vars: Mapping[str, str]
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """A refresh token that was verified. Its family may still have ended: the database knows."""

    user_id: str
    username: str
    family_id: str
    vars: Mapping[str, str]
    issued_at: int
    expires_at: int
    gen: int


class Tokens:
    """Mints and checks. Every entrance calls `check_session`; it never waits."""

    def __init__(
        self,
        keys: SigningKeys,
        lifetimes: Lifetimes,
        revocations: Revocations,
        clock: Clock,
        *,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._session = SigningRing(keys.session)
        self._refresh = SigningRing(keys.refresh)
        self._match = SigningRing(keys.match)
        self.on_unknown_key: Callable[[], None] = lambda: None
        """Called for each token that names a key we do not have: another process may have it already."""
        self._lifetimes = lifetimes
        self._revocations = revocations
        self._clock = clock
        self._cache: dict[str, SessionClaims] = {}
        self._cache_size = cache_size

    def use_keys(self, keys: SigningKeys) -> None:
        """From now on sign and verify with these. What a key that is not among them has signed is refused."""
        session = SigningRing(keys.session)
        known = session.headers_shared_with(self._session)
        self._cache = {
            token: claims for token, claims in self._cache.items() if token.partition(".")[0] in known
        }
        self._session = session
        self._refresh = SigningRing(keys.refresh)
        self._match = SigningRing(keys.match)

    def absolute_exp(self, login_time: int) -> int:
        """When a login made now ends, however often it is refreshed."""
        return login_time + self._lifetimes.refresh_max_s

    def terms(self, now: int, absolute_exp: int) -> Terms:
        """What a pair made now is made on. No token outlives its login, which ends at `absolute_exp`."""
        return Terms(
            self._session.newest,
            self._refresh.newest,
            min(now + self._lifetimes.session_s, absolute_exp),
            min(now + self._lifetimes.refresh_idle_s, absolute_exp),
        )

    def mint(self, subject: Subject, terms: Terms) -> Pair:
        """The pair, on these terms, for a login that was written to the database.

        An equal subject and equal terms give the same texts, to the byte.

        The newest key signs in place of one that has gone; the terms of the result name it.
        """
        terms = replace(
            terms,
            session_kid=self._session.present(terms.session_kid),
            refresh_kid=self._refresh.present(terms.refresh_kid),
        )
        token = self._session.sign(_claims(subject, terms.session_exp, "session"), terms.session_kid)
        refresh_token = self._refresh.sign(
            _claims(subject, terms.refresh_exp, "refresh") | {"gen": subject.gen}, terms.refresh_kid
        )
        self._remember(
            token,
            SessionClaims(
                subject.user_id,
                subject.username,
                subject.family_id,
                dict(sorted(subject.vars.items())),
                subject.issued_at,
                terms.session_exp,
            ),
        )
        return Pair(terms, token, refresh_token)

    def check_session(self, token: str) -> SessionClaims | None:
        """Who shows this session token; None if it is not ours, expired or revoked."""
        claims = self._cache.get(token)
        if claims is None:
            found = self._verify(self._session, token, "session")
            if found is None:
                return None
            claims = SessionClaims(**found)
            if claims.expires_at > self._clock.wall():
                self._remember(token, claims)
        if claims.expires_at <= self._clock.wall():
            self._cache.pop(token, None)
        return claims if self.still_good(claims) else None

    def still_good(self, claims: SessionClaims) -> bool:
        """Whether a session token that was verified before counts now: not expired, and not revoked."""
        return claims.expires_at > self._clock.wall() and not self._revocations.is_revoked(claims.family_id)

    def check_refresh(self, token: str) -> RefreshClaims | None:
        """Whose refresh token this is; None if it is not ours, expired or known to be revoked."""
        found = self._verify(self._refresh, token, "refresh")
        if found is None or found["expires_at"] <= self._clock.wall():
            return None
        return None if self._revocations.is_revoked(found["family_id"]) else RefreshClaims(**found)

    def mint_match_token(self, match_id: str) -> str:
        """A token that lets its bearer join this match within the next 30 seconds."""
        claims = {"mid": match_id, "exp": int(self._clock.wall()) + MATCH_TTL_S}
        return self._match.sign(claims, self._match.newest)

    def match_id(self, token: str) -> str | None:
        """The match that this match token is for; None if it is not ours or over."""
        claims = self._match.verify(token)
        if claims is None:
            return None
        match_id, exp = claims.get("mid"), claims.get("exp")
        if not isinstance(match_id, str) or not isinstance(exp, int) or exp <= self._clock.wall():
            return None
        return match_id

    def _verify(self, ring: SigningRing, token: str, use: Use) -> dict[str, Any] | None:
        claims = ring.verify(token)
        if claims is None and ring.lacks_key_of(token):
            self.on_unknown_key()
        if claims is None or claims.get("use") != use or claims.get("iss") != ISSUER:
            return None
        # Signed by us, so the claims have the form that _claims gave them.
        found = {
            "user_id": claims["uid"],
            "username": claims["usn"],
            "family_id": claims["tid"],
            "vars": claims.get("vrs", {}),
            "issued_at": claims["iat"],
            "expires_at": claims["exp"],
        }
        return found | {"gen": claims["gen"]} if use == "refresh" else found

    def _remember(self, token: str, claims: SessionClaims) -> None:
        if token not in self._cache and len(self._cache) >= self._cache_size:
            del self._cache[next(iter(self._cache))]
        self._cache[token] = claims


def _claims(subject: Subject, exp: int, use: Use) -> dict[str, Any]:
    """In the order of the reference's tokens, then ours."""
    claims: dict[str, Any] = {"tid": subject.family_id, "uid": subject.user_id, "usn": subject.username}
    if subject.vars:
        claims["vrs"] = dict(sorted(subject.vars.items()))
    return claims | {"exp": exp, "iat": subject.issued_at, "iss": ISSUER, "use": use}
