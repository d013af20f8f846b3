"""The refresh token in a cookie, for pages of the server's own origin that ask for it with `X-GS: 1`.

Whatever a browser adds by itself it adds to a foreign page's request too, so a request in cookie mode must
show what only our own page can: the header, an origin of the list, a JSON body. A request without the header
is not looked at here, and its cookies are not looked at anywhere.
"""

from enum import StrEnum
from typing import Literal

import structlog
from aiohttp import web

from server.clock import Clock
from server.identity.tokens import Tokens
from server.web.errors import Code, Failure

HEADER = "X-GS"
SECURE_NAME = "__Host-gs_refresh"
INSECURE_NAME = "gs_refresh"
"""Without the prefix, because browsers keep a `__Host-` cookie over https only."""
OWN_SITES = frozenset({"same-origin", "none"})

log = structlog.get_logger("lockgate.web")

Mode = Literal["off", "secure", "insecure"]


class CookieRefusal(StrEnum):
    """Why a request in cookie mode was taken for another site's."""

    CONTENT_TYPE = "content_type"
    ORIGIN = "origin"
    FETCH_SITE = "fetch_site"


class RefreshCookies:
    """Reads, checks and sets the cookie; `refused` counts what was taken for another site's request."""

    def __init__(self, mode: Mode, allowed_origins: tuple[str, ...], tokens: Tokens, clock: Clock) -> None:
        self._on = mode != "off"
        self._secure = mode == "secure"
        self._name = SECURE_NAME if self._secure else INSECURE_NAME
        # Neither names a page: both are what a hostile one may have.
        self._origins = frozenset(allowed_origins) - {"*", "null"}
        self._tokens = tokens
        self._clock = clock
        self.refused = dict.fromkeys(CookieRefusal, 0)

    def asked(self, request: web.Request) -> bool:
        """Whether this request is in cookie mode. Raises `Failure` if it is and may not be.

        Call it before anything else is done for the request.
        """
        marks = request.headers.getall(HEADER, [])
        if not marks:
            return False
        if not self._on:
            raise Failure(Code.INVALID_ARGUMENT, "Cookie mode is not enabled.")
        if marks != ["1"]:
            raise Failure(Code.INVALID_ARGUMENT, f"{HEADER} must be 1.")
        reason = self._fault(request)
        if reason is not None:
            self.refused[reason] += 1
            log.info("cookie_request_refused", reason=reason.value)
            raise Failure(Code.PERMISSION_DENIED, "Forbidden")
        if len(self._values(request)) > 1:
            raise Failure(Code.INVALID_ARGUMENT, "Refresh cookie given twice.")
        return True

    def token(self, request: web.Request) -> str:
        """The refresh token in the cookie, empty without one. Only for a request that `asked`."""
        return next(iter(self._values(request)), "")

    def keep(self, response: web.Response, refresh_token: str) -> None:
        """Let the browser hold this token for as long as it is good."""
        claims = self._tokens.check_refresh(refresh_token)
        left_s = 0 if claims is None else max(0, claims.expires_at - int(self._clock.wall()))
        self._set(response, refresh_token if left_s else "", left_s)

    def clear(self, response: web.StreamResponse) -> None:
        """Let the browser forget the token."""
        self._set(response, "", 0)

    def _fault(self, request: web.Request) -> CookieRefusal | None:
        # Each must be there once: of two, somebody in between may have read the other.
        types = request.headers.getall("Content-Type", [])
        if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/json":
            return CookieRefusal.CONTENT_TYPE
        origins = request.headers.getall("Origin", [])
        if len(origins) != 1 or origins[0] not in self._origins:
            return CookieRefusal.ORIGIN
        if not OWN_SITES.issuperset(request.headers.getall("Sec-Fetch-Site", [])):
            return CookieRefusal.FETCH_SITE
        return None

    def _values(self, request: web.Request) -> list[str]:
        """RFC 6265 section 4.2.1, read by hand: the library's parser skips what it does not like."""
        pairs = ";".join(request.headers.getall("Cookie", [])).split(";")
        split = [pair.strip(" \t").partition("=") for pair in pairs]
        return [value for name, _, value in split if name == self._name]

    def _set(self, response: web.StreamResponse, value: str, max_age_s: int) -> None:
        response.set_cookie(
            self._name,
            value,
            max_age=max_age_s,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Strict",
        )
