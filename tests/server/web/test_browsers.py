"""The parts that browsers need are of one piece, built from the settings."""

from pathlib import Path

import pytest

from server.identity.tickets import TicketRefusal
from server.sections import SessionSettings
from tests.support.issuer import BOB
from tests.support.site import Site, bearer, open_gate, post, running_site

TICKET = "/v2/session/ticket"


async def test_a_ticket_stands_for_the_token_that_bought_it(site: Site) -> None:
    token = (await site.login())["token"]

    status, answer = await post(site, TICKET, {}, bearer(token))
    claims = site.browsers.tickets.redeem(answer["ticket"])

    assert (status, set(answer), answer["expires_in"]) == (200, {"ticket", "expires_in"}, 30)
    assert claims == site.gate.tokens.check_session(token)


async def test_a_ticket_is_refused_once_its_login_was_logged_out(site: Site) -> None:
    token = (await site.login())["token"]
    _, answer = await post(site, TICKET, {}, bearer(token))
    await post(site, "/v2/session/logout", {"token": token}, bearer(token))

    assert site.browsers.tickets.redeem(answer["ticket"]) is None
    assert site.browsers.tickets.refused[TicketRefusal.ENDED] == 1


async def test_the_store_of_tickets_is_as_large_as_configured(tmp_path: Path) -> None:
    async with (
        open_gate(tmp_path) as gate,
        running_site(gate, session=SessionSettings(tickets_max=1)) as site,
    ):
        first, second = (await site.login())["token"], (await site.login(sub=BOB, username="bob"))["token"]
        await post(site, TICKET, {}, bearer(first))
        async with site.client.post(TICKET, headers=bearer(second)) as response:
            answer = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (503, "30")
    assert answer == {"code": 14, "message": "Too many tickets, try again later."}


@pytest.mark.parametrize("shown", ["{refresh}", "garbage", ""])
async def test_only_a_session_token_buys_a_ticket(site: Site, shown: str) -> None:
    session = await site.login()

    status, answer = await post(
        site, TICKET, {}, bearer(shown.replace("{refresh}", session["refresh_token"]))
    )

    assert (status, answer) == (401, {"code": 16, "message": "Auth token invalid"})
    assert len(site.browsers.tickets) == 0


async def test_a_ticket_is_not_given_to_a_request_that_cannot_be_read(site: Site) -> None:
    token = (await site.login())["token"]

    status, answer = await post(site, TICKET, b"[]", bearer(token))

    assert (status, answer["code"]) == (400, 3)
    assert len(site.browsers.tickets) == 0


async def test_a_ticket_is_no_credential_of_the_api(site: Site) -> None:
    _, answer = await post(site, TICKET, {}, bearer((await site.login())["token"]))
    ticket = answer["ticket"]

    by_header = await post(site, TICKET, {}, bearer(ticket))
    by_query = await post(site, f"{TICKET}?ticket={ticket}", {}, {})

    assert (by_header[0], by_query[0]) == (401, 401)
    assert site.browsers.tickets.redeem(ticket) is not None
