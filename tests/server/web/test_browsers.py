"""The parts that browsers need are of one piece, built from the settings."""

from pathlib import Path

from server.config import SessionSettings
from server.identity.tickets import TicketRefusal
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
