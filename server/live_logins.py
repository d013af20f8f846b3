"""The login of an open socket: refreshed from the socket itself, with no tokens but its own.

Implements the port `LiveLogins` of `world.py`. Stands beside the composition root because `identity` knows
no sockets and `sessions` no tokens.
"""

from collections.abc import Mapping
from typing import Protocol

from protocol.errors import ErrorCode, RequestError
from server.identity.failures import Denied, RequestInvalid
from server.identity.logins import INVALID_REFRESH, Logins
from server.identity.tokens import Pair, Tokens
from server.sessions.expiry import Expiry
from server.sessions.session import Session

INVALID_SESSION = "Session token invalid or expired."


class Owned(Protocol):
    """What a token says about its owner."""

    @property
    def user_id(self) -> str: ...
    @property
    def family_id(self) -> str: ...


class SocketLogins:
    """Refreshes the logins of the open sessions."""

    def __init__(
        self, sessions: Mapping[str, Session], expiry: Expiry, tokens: Tokens, logins: Logins
    ) -> None:
        self._sessions = sessions
        self._expiry = expiry
        self._tokens = tokens
        self._logins = logins

    async def refresh(self, session_id: str, refresh_token: str, session_vars: Mapping[str, str]) -> Pair:
        """New tokens for the socket's login, which then ends later. Raises RequestError."""
        session = self._sessions.get(session_id)
        # Looked at before anything is rotated: another login's token is neither used up here, nor a theft.
        if session is None or not _owns(session, self._tokens.check_refresh(refresh_token)):
            raise _refused(INVALID_REFRESH)
        with self._expiry.refreshing(session):
            try:
                pair = await self._logins.refresh(refresh_token, session_vars)
            except RequestInvalid as error:
                raise RequestError(ErrorCode.BAD_INPUT, error.message) from None
            except Denied as error:
                raise _refused(error.message) from None
            self._expiry.shown(session, pair.terms.session_exp)
        return pair

    def show(self, session_id: str, session_token: str) -> int:
        """Unix second at which the newest session token of the socket ends, this one included.

        Raises RequestError.
        """
        session = self._sessions.get(session_id)
        claims = self._tokens.check_session(session_token)
        if session is None or claims is None or not _owns(session, claims):
            raise _refused(INVALID_SESSION)
        return self._expiry.shown(session, claims.expires_at)


def _owns(session: Session, claims: Owned | None) -> bool:
    return claims is not None and claims.family_id == session.family_id and claims.user_id == session.user_id


def _refused(message: str) -> RequestError:
    return RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, message)
