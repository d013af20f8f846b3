"""The login of an open socket: its own tokens refresh it, and no others do or are harmed."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import UserPresence
from server.identity.bridge import Login
from server.identity.failures import TryLater
from server.identity.tokens import Pair, RefreshClaims, SessionClaims
from server.live_logins import SocketLogins
from server.sessions.expiry import SocketExpiry
from tests.support import issuer
from tests.support.issuer import BOB
from tests.support.seats import Seated, Table
from tests.support.site import Gate, open_gate


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path) as opened:
        yield opened


class Desk:
    """A table at which players sit down with their session tokens."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.table = Table(socket_expiry=SocketExpiry.STRICT, single_socket=False, clock=gate.clock)
        self.logins = SocketLogins(self.table.registry.by_id, self.table.expiry, gate.tokens, gate.logins)

    async def sign_in(self, **claims: Any) -> Login:
        token = issuer.token(self.gate.clock.wall(), **claims)
        return await self.gate.bridge.login(token, {"a": "b"}, create=True, wanted_username=None)

    def claims(self, token: str) -> SessionClaims:
        claims = self.gate.tokens.check_session(token)
        assert claims is not None
        return claims

    def refresh_claims(self, token: str) -> RefreshClaims:
        claims = self.gate.tokens.check_refresh(token)
        assert claims is not None
        return claims

    def seat(self, login: Login, session_id: str = "socket") -> Seated:
        claims = self.claims(login.token)
        me = UserPresence(user_id=claims.user_id, session_id=session_id, username=claims.username)
        ttl = claims.expires_at - int(self.gate.clock.wall())
        return self.table.seat(me, family_id=claims.family_id, token_ttl_s=ttl)


@pytest.fixture
def desk(gate: Gate) -> Desk:
    return Desk(gate)


async def refusal(work: Awaitable[object]) -> tuple[ErrorCode, str]:
    with pytest.raises(RequestError) as refused:
        await work
    return refused.value.code, refused.value.message


REFUSED = (ErrorCode.RUNTIME_FUNCTION_EXCEPTION, "Refresh token invalid or expired.")


async def test_its_own_refresh_token_gives_new_tokens_and_moves_the_end_of_the_socket(desk: Desk) -> None:
    login = await desk.sign_in()
    seated = desk.seat(login)
    before = seated.session.token_exp
    desk.gate.clock.advance(1000)

    pair = await desk.logins.refresh("socket", login.refresh_token, {"c": "d"})

    claims = desk.claims(pair.token)
    assert (claims.family_id, claims.vars) == (seated.session.family_id, {"c": "d"})
    assert seated.session.token_exp == claims.expires_at == before + 1000
    assert desk.refresh_claims(pair.refresh_token).family_id == seated.session.family_id


async def test_a_token_of_another_login_is_refused_and_still_good_elsewhere(desk: Desk) -> None:
    login, other, bob = await desk.sign_in(), await desk.sign_in(), await desk.sign_in(sub=BOB)
    desk.seat(login)

    for foreign in (other, bob):
        assert await refusal(desk.logins.refresh("socket", foreign.refresh_token, {})) == REFUSED

    for foreign in (other, bob):
        await desk.gate.logins.refresh(foreign.refresh_token, {})


@pytest.mark.parametrize("what", ["garbage", "session token", "expired"])
async def test_what_is_no_good_refresh_token_is_refused(desk: Desk, what: str) -> None:
    login = await desk.sign_in()
    desk.seat(login)
    shown = {"garbage": "a.b.c", "session token": login.token, "expired": login.refresh_token}[what]
    if what == "expired":
        desk.gate.clock.advance(90 * 86_400)

    assert await refusal(desk.logins.refresh("socket", shown, {})) == REFUSED


async def test_a_socket_that_is_gone_refreshes_nothing(desk: Desk) -> None:
    login = await desk.sign_in()
    seated = desk.seat(login)
    seated.lose()

    assert await refusal(desk.logins.refresh("socket", login.refresh_token, {})) == REFUSED

    await desk.gate.logins.refresh(login.refresh_token, {})


async def test_vars_over_the_limit_are_bad_input_and_cost_no_token(desk: Desk) -> None:
    login = await desk.sign_in()
    desk.seat(login)

    code, text = await refusal(desk.logins.refresh("socket", login.refresh_token, {"a": "x" * 2048}))

    assert code is ErrorCode.BAD_INPUT
    assert text.startswith("Session vars too large")
    await desk.logins.refresh("socket", login.refresh_token, {})


async def test_any_other_refusal_is_told_as_one_of_the_function(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = await desk.sign_in()
    seated = desk.seat(login)
    before = seated.session.token_exp

    async def too_often(_token: str, _vars: Mapping[str, str]) -> Pair:
        raise TryLater("Too many refreshes, try again later.", 5)

    monkeypatch.setattr(desk.gate.logins, "refresh", too_often)

    assert await refusal(desk.logins.refresh("socket", login.refresh_token, {})) == (
        ErrorCode.RUNTIME_FUNCTION_EXCEPTION,
        "Too many refreshes, try again later.",
    )
    assert seated.session.token_exp == before


async def test_a_newer_session_token_had_elsewhere_moves_the_end(desk: Desk) -> None:
    login = await desk.sign_in()
    seated = desk.seat(login)
    desk.gate.clock.advance(1000)
    pair = await desk.gate.logins.refresh(login.refresh_token, {})

    shown = desk.logins.show("socket", pair.token)

    assert shown == seated.session.token_exp == desk.claims(pair.token).expires_at
    assert desk.logins.show("socket", login.token) == shown  # the older one takes nothing back


async def test_a_session_token_of_another_login_is_refused(desk: Desk) -> None:
    login, other, bob = await desk.sign_in(), await desk.sign_in(), await desk.sign_in(sub=BOB)
    seated = desk.seat(login)
    before = seated.session.token_exp

    for foreign in (other.token, bob.token, login.refresh_token, "a.b.c", ""):
        with pytest.raises(RequestError, match="Session token invalid or expired") as refused:
            desk.logins.show("socket", foreign)
        assert refused.value.code is ErrorCode.RUNTIME_FUNCTION_EXCEPTION

    with pytest.raises(RequestError):
        desk.logins.show("nobody", login.token)
    assert seated.session.token_exp == before
