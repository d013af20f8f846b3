"""The refresh token in a cookie: how it is set, what a request must show for it, and who never gets it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from structlog.testing import capture_logs

from server.web.cookies import RefreshCookies
from server.web.errors import Failure
from tests.support.cookies import (
    LOGOUT,
    NAME,
    ORIGIN,
    OURS,
    REFRESH,
    Reply,
    cookie_site,
    holding,
    login,
    refresh,
    send,
)
from tests.support.issuer import BOB
from tests.support.site import AUTHENTICATE, LIFETIMES, SERVER_KEY, Site, bearer, post

FORBIDDEN = {"code": 7, "message": "Forbidden"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with cookie_site(tmp_path) as running:
        yield running


def is_cleared(reply: Reply) -> bool:
    attributes = {name: value for name, value in reply.cookie.items() if value}
    return (reply.cookie.key, reply.cookie.value, attributes) == (
        NAME,
        "",
        {"max-age": "0", "path": "/", "secure": True, "httponly": True, "samesite": "Strict"},
    )


async def test_a_login_in_cookie_mode_sets_the_cookie_and_tells_the_session_token_alone(site: Site) -> None:
    reply = await login(site)

    attributes = {name: value for name, value in reply.cookie.items() if value}
    assert reply.body.keys() == {"created", "token"}
    assert reply.cookie.key == NAME
    assert attributes == {
        "max-age": str(LIFETIMES.refresh_idle_s),
        "path": "/",
        "secure": True,
        "httponly": True,
        "samesite": "Strict",
    }
    assert site.gate.tokens.check_session(reply.body["token"]) is not None
    assert site.gate.tokens.check_refresh(reply.cookie.value) is not None
    assert "no-store" in reply.headers["Cache-Control"]


async def test_a_login_without_the_header_gets_its_token_in_the_body_and_no_cookie(site: Site) -> None:
    reply = await send(
        site, AUTHENTICATE, {"id": site.id_token()}, SERVER_KEY, {"Origin": ORIGIN}, holding("x")
    )

    assert (reply.status, reply.lines) == (200, [])
    assert reply.body.keys() == {"created", "token", "refresh_token"}


async def test_on_http_in_development_the_cookie_has_neither_prefix_nor_secure(tmp_path: Path) -> None:
    async with cookie_site(tmp_path, "insecure") as site:
        first = await login(site)
        held = holding(first.cookie.value, "gs_refresh")
        second = await send(site, REFRESH, {}, SERVER_KEY, OURS, held)
        third = await send(site, REFRESH, {}, SERVER_KEY, OURS, holding(first.cookie.value))

    attributes = {name for name, value in first.cookie.items() if value}
    assert (first.cookie.key, attributes) == ("gs_refresh", {"max-age", "path", "httponly", "samesite"})
    assert (second.status, second.cookie.key) == (200, "gs_refresh")
    assert third.status == 401


async def test_a_refresh_takes_the_cookie_and_sets_its_successor(site: Site) -> None:
    first = await login(site)
    site.gate.clock.advance(60)

    reply = await refresh(site, first.cookie.value)

    assert (reply.status, set(reply.body)) == (200, {"token"})
    assert reply.cookie.value != first.cookie.value
    assert reply.cookie["max-age"] == str(LIFETIMES.refresh_idle_s)
    assert (await refresh(site, reply.cookie.value)).status == 200


async def test_the_cookie_lives_no_longer_than_the_login(site: Site) -> None:
    reply = await login(site)
    left_s = LIFETIMES.refresh_max_s
    for _ in range(LIFETIMES.refresh_max_s // 1_000_000):
        site.gate.clock.advance(1_000_000)
        left_s -= 1_000_000
        reply = await refresh(site, reply.cookie.value)

    assert reply.cookie["max-age"] == str(left_s)
    assert 0 < left_s < LIFETIMES.refresh_idle_s


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", '"', "x" * 4_000, "%00", "{session}"])
async def test_a_refused_cookie_is_cleared(site: Site, token: str) -> None:
    first = await login(site)

    reply = await refresh(site, token.replace("{session}", first.body["token"]))

    assert (reply.status, reply.body) == (401, {"code": 16, "message": "Refresh token invalid or expired."})
    assert is_cleared(reply)


async def test_without_a_cookie_a_refresh_is_refused_as_with_a_bad_one(site: Site) -> None:
    reply = await send(
        site, REFRESH, {}, SERVER_KEY, OURS, {"Cookie": "other=1; gs_refresh=x; __host-gs_refresh=x"}
    )

    assert reply.status == 401
    assert is_cleared(reply)


async def test_a_token_in_the_body_beside_cookie_mode_is_refused_unused(site: Site) -> None:
    token = (await login(site)).cookie.value

    reply = await refresh(site, token, body={"token": token})
    logout = await send(
        site,
        LOGOUT,
        {"refresh_token": token},
        OURS,
        bearer((await login(site)).body["token"]),
        holding(token),
    )

    assert (reply.status, reply.body["code"], reply.lines) == (400, 3, [])
    assert (logout.status, logout.body["code"], logout.lines) == (400, 3, [])
    assert (await refresh(site, token)).status == 200


async def test_the_cookie_is_found_among_others_and_over_several_lines(site: Site) -> None:
    token = (await login(site)).cookie.value

    reply = await send(
        site, REFRESH, {}, SERVER_KEY, OURS, {"Cookie": "a=1; b; =; c=d=e"}, holding(token), {"Cookie": "z=1"}
    )

    assert reply.status == 200


@pytest.mark.parametrize("second", ["garbage", "{token}", ""])
async def test_of_two_cookies_none_is_chosen(site: Site, second: str) -> None:
    token = (await login(site)).cookie.value
    also = second.replace("{token}", token)

    one_line = await refresh(site, f"{token}; {NAME}={also}")
    two_lines = await refresh(site, token, holding(also))

    assert (one_line.status, one_line.body["code"], one_line.lines) == (400, 3, [])
    assert (two_lines.status, two_lines.body["code"], two_lines.lines) == (400, 3, [])
    assert (await refresh(site, token)).status == 200


async def test_a_logout_ends_the_login_of_the_cookie_and_clears_it(site: Site) -> None:
    first, other = await login(site), await login(site)

    reply = await send(site, LOGOUT, {}, OURS, bearer(other.body["token"]), holding(first.cookie.value))

    assert (reply.status, reply.body) == (200, {})
    assert is_cleared(reply)
    assert (await refresh(site, first.cookie.value)).status == 401
    assert (await refresh(site, other.cookie.value)).status == 200
    assert len(site.gate.ended) == 1


async def test_a_logout_whose_cookie_is_gone_ends_the_callers_login_and_no_other(site: Site) -> None:
    first, other = await login(site), await login(site)

    reply = await send(site, LOGOUT, {}, OURS, bearer(first.body["token"]))

    assert reply.status == 200
    assert (await refresh(site, first.cookie.value)).status == 401
    assert (await refresh(site, other.cookie.value)).status == 200


async def test_a_logout_with_another_players_cookie_ends_nothing(site: Site) -> None:
    alice, bob = await login(site), await login(site, sub=BOB, username="bob")

    reply = await send(site, LOGOUT, {}, OURS, bearer(alice.body["token"]), holding(bob.cookie.value))

    assert (reply.status, reply.lines) == (400, [])
    assert (await refresh(site, alice.cookie.value)).status == 200
    assert (await refresh(site, bob.cookie.value)).status == 200


async def test_a_logout_in_cookie_mode_needs_a_session_token_too(site: Site) -> None:
    token = (await login(site)).cookie.value

    reply = await send(site, LOGOUT, {}, OURS, holding(token))

    assert (reply.status, reply.body["code"]) == (401, 16)
    assert (await refresh(site, token)).status == 200


NOT_OURS: list[tuple[str, dict[str, str | None]]] = [
    ("origin", {"Origin": None}),
    ("origin", {"Origin": "null"}),
    ("origin", {"Origin": ""}),
    ("origin", {"Origin": "https://evil.test"}),
    ("origin", {"Origin": "http://game.test"}),
    ("origin", {"Origin": "https://game.test:443"}),
    ("origin", {"Origin": "https://game.test/"}),
    ("origin", {"Origin": "https://GAME.test"}),
    ("origin", {"Origin": "https://game.test.evil.test"}),
    ("origin", {"Origin": "https://sub.game.test"}),
    ("content_type", {"Content-Type": "text/plain"}),
    ("content_type", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("content_type", {"Content-Type": "text/plain; application/json"}),
    ("content_type", {"Content-Type": "application/jsonp"}),
    ("content_type", {"Content-Type": ""}),
    ("fetch_site", {"Sec-Fetch-Site": "cross-site"}),
    ("fetch_site", {"Sec-Fetch-Site": "same-site"}),
    ("fetch_site", {"Sec-Fetch-Site": ""}),
    ("fetch_site", {"Sec-Fetch-Site": "same-origin, cross-site"}),
]


@pytest.mark.parametrize(("reason", "changed"), NOT_OURS)
@pytest.mark.parametrize("path", [AUTHENTICATE, REFRESH, LOGOUT])
async def test_what_another_site_could_send_is_refused_and_changes_nothing(
    site: Site, path: str, reason: str, changed: dict[str, str | None]
) -> None:
    first = await login(site)
    headers = {name: value for name, value in (OURS | changed).items() if value is not None}
    authorization = bearer(first.body["token"]) if path == LOGOUT else SERVER_KEY

    with capture_logs() as logs:
        reply = await send(
            site, path, {"id": site.id_token()}, authorization, headers, holding(first.cookie.value)
        )

    assert reply.refusal == (403, FORBIDDEN, [])
    assert {name: count for name, count in site.browsers.cookies.refused.items() if count} == {reason: 1}
    assert [entry["reason"] for entry in logs if entry["event"] == "cookie_request_refused"] == [reason]
    assert first.cookie.value not in str(logs)
    assert (await refresh(site, first.cookie.value)).status == 200
    assert site.gate.bridge.accepted == 1


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("Origin", "https://evil.test"),
        ("Origin", ORIGIN),
        ("Content-Type", "text/plain"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
)
async def test_a_second_header_beside_the_good_one_is_refused(site: Site, name: str, foreign: str) -> None:
    headers = CIMultiDict(OURS | {"Sec-Fetch-Site": "same-origin"})
    assert site.browsers.cookies.asked(make_mocked_request("POST", REFRESH, headers))
    headers.add(name, foreign)

    with pytest.raises(Failure, match="Forbidden"):
        site.browsers.cookies.asked(make_mocked_request("POST", REFRESH, headers))


@pytest.mark.parametrize("name", ["Origin", "Content-Type"])
async def test_a_missing_header_is_refused(site: Site, name: str) -> None:
    headers = CIMultiDict(OURS)
    del headers[name]

    with pytest.raises(Failure, match="Forbidden"):
        site.browsers.cookies.asked(make_mocked_request("POST", REFRESH, headers))


@pytest.mark.parametrize("origin", ["*", "null"])
async def test_an_origin_that_names_no_page_is_refused_even_if_it_is_listed(site: Site, origin: str) -> None:
    cookies = RefreshCookies("secure", (ORIGIN, "*", "null"), site.gate.tokens, site.gate.clock)
    headers = CIMultiDict(OURS | {"Origin": origin})

    with pytest.raises(Failure, match="Forbidden"):
        cookies.asked(make_mocked_request("POST", REFRESH, headers))


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "APPLICATION/JSON ;charset=utf-8"},
    ],
)
async def test_what_our_own_page_sends_is_taken(site: Site, changed: dict[str, str]) -> None:
    token = (await login(site)).cookie.value

    reply = await send(site, REFRESH, {}, SERVER_KEY, OURS | changed, holding(token))

    assert reply.status == 200


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
async def test_header_names_may_be_spelled_in_any_case(site: Site, spelling: Any) -> None:
    token = (await login(site)).cookie.value
    headers = {spelling(name): value for name, value in (SERVER_KEY | OURS | holding(token)).items()}

    good = await send(site, REFRESH, {}, headers)
    bad = await send(site, REFRESH, {}, headers, {spelling("Sec-Fetch-Site"): "cross-site"})

    assert (good.status, bad.status) == (200, 403)


@pytest.mark.parametrize("path", [AUTHENTICATE, REFRESH, LOGOUT])
@pytest.mark.parametrize("mark", ["1", "0", ""])
async def test_cookie_mode_that_is_off_is_refused(tmp_path: Path, path: str, mark: str) -> None:
    async with cookie_site(tmp_path, "off") as site:
        session = await site.login()
        authorization = bearer(session["token"]) if path == LOGOUT else SERVER_KEY
        reply = await send(site, path, {}, authorization, OURS | {"X-GS": mark})

    assert reply.refusal == (400, {"code": 3, "message": "Cookie mode is not enabled."}, [])


@pytest.mark.parametrize("mark", ["0", "2", "true", "1, 1", ""])
async def test_cookie_mode_is_asked_for_in_one_spelling(site: Site, mark: str) -> None:
    token = (await login(site)).cookie.value

    reply = await send(site, REFRESH, {"token": token}, SERVER_KEY, OURS | {"X-GS": mark}, holding(token))

    assert reply.refusal == (400, {"code": 3, "message": "X-GS must be 1."}, [])


async def test_without_the_header_no_endpoint_looks_at_a_cookie(site: Site) -> None:
    first = await login(site)
    held = holding(first.cookie.value)
    plain = {"Origin": ORIGIN, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}

    refreshed = await send(site, REFRESH, {}, SERVER_KEY, plain, held)
    account = await post(site, "/v2/session/ticket", {}, plain | held)
    logout = await send(site, LOGOUT, {}, plain, held)

    assert refreshed.refusal == (400, {"code": 3, "message": "Refresh token is required."}, [])
    assert (account[0], logout.status, logout.lines) == (401, 401, [])
    assert (await refresh(site, first.cookie.value)).status == 200


async def test_two_cookies_do_not_matter_without_the_header(site: Site) -> None:
    session = await site.login()

    reply = await send(
        site, REFRESH, {"token": session["refresh_token"]}, SERVER_KEY, holding(f"a; {NAME}=b")
    )

    assert (reply.status, reply.lines) == (200, [])


async def test_every_answer_with_a_token_is_kept_by_no_cache(site: Site) -> None:
    first = await login(site)
    answers = [
        first,
        await refresh(site, first.cookie.value),
        await send(site, "/v2/session/ticket", b"", bearer(first.body["token"])),
    ]

    assert [reply.status for reply in answers] == [200] * 3
    assert {reply.headers["Cache-Control"] for reply in answers} == {"no-store, no-cache, must-revalidate"}
