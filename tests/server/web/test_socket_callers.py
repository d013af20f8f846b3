"""Where a request for a socket may carry its credentials, and which of them decides."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.identity.tokens import SessionClaims
from server.web.socket_callers import SocketCallers

HEADER, PROTOCOL, TICKET, QUERY = "from-header", "from-protocol", "from-ticket", "from-query"


def claims(name: str) -> SessionClaims:
    return SessionClaims(name, name, name, {}, 0, 0)


class Desk:
    """Takes the tokens that a test names, and remembers the tickets it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        good = {HEADER, PROTOCOL, QUERY}
        self.callers = SocketCallers(lambda token: claims(token) if token in good else None, self.redeem)

    def redeem(self, ticket: str) -> SessionClaims | None:
        self.shown.append(ticket)
        return claims(ticket) if ticket == TICKET else None

    def ask(self, target: str = "/ws", *headers: tuple[str, str]) -> tuple[str, str | None] | None:
        """Who is found and the sub-protocol to be told."""
        caller = self.callers.of(make_mocked_request("GET", target, CIMultiDict(headers)))
        return None if caller is None else (caller.claims.user_id, caller.subprotocol)


def offer(*names: str) -> tuple[str, str]:
    return ("Sec-WebSocket-Protocol", ", ".join(names))


AUTHORIZATION = ("Authorization", f"Bearer {HEADER}")
OFFER = offer("game.v1", f"bearer.{PROTOCOL}")


@pytest.mark.parametrize(
    ("target", "headers", "found"),
    [
        (f"/ws?ticket={TICKET}&token={QUERY}", [AUTHORIZATION, OFFER], HEADER),
        (f"/ws?ticket={TICKET}&token={QUERY}", [OFFER], PROTOCOL),
        (f"/ws?ticket={TICKET}&token={QUERY}", [], TICKET),
        (f"/ws?token={QUERY}", [], QUERY),
        ("/ws", [], None),
    ],
)
def test_the_first_of_the_four_ways_decides(
    target: str, headers: list[tuple[str, str]], found: str | None
) -> None:
    answer = Desk().ask(target, *headers)

    assert (answer and answer[0]) == found


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"/ws?ticket={TICKET}&token={QUERY}", [("Authorization", "Bearer bad"), OFFER]),
        (f"/ws?ticket={TICKET}&token={QUERY}", [("Authorization", f"bearer {HEADER}"), OFFER]),
        (f"/ws?ticket={TICKET}&token={QUERY}", [AUTHORIZATION, AUTHORIZATION]),
        (f"/ws?ticket={TICKET}&token={QUERY}", [offer("game.v1", "bearer.bad")]),
        (f"/ws?ticket=bad&token={QUERY}", []),
        (f"/ws?ticket=&token={QUERY}", []),
    ],
)
def test_a_bad_way_is_not_made_good_by_a_later_one(target: str, headers: list[tuple[str, str]]) -> None:
    assert Desk().ask(target, *headers) is None


@pytest.mark.parametrize(
    "header",
    [
        offer("game.v1", f"bearer.{PROTOCOL}"),
        offer(f"bearer.{PROTOCOL}", "game.v1"),
        offer("chat", f"bearer.{PROTOCOL}", "mqtt", "game.v1"),
        ("sec-websocket-protocol", f"game.v1,bearer.{PROTOCOL}"),
        ("SEC-WEBSOCKET-PROTOCOL", f"\tgame.v1 ,, bearer.{PROTOCOL} "),
    ],
)
def test_a_token_may_stand_anywhere_among_the_subprotocols(header: tuple[str, str]) -> None:
    assert Desk().ask("/ws", header) == (PROTOCOL, "game.v1")


def test_several_lines_of_subprotocols_are_one_list() -> None:
    assert Desk().ask("/ws", offer(f"bearer.{PROTOCOL}"), offer("game.v1")) == (PROTOCOL, "game.v1")


@pytest.mark.parametrize(
    "names",
    [
        [f"bearer.{PROTOCOL}"],
        ["game.v2", f"bearer.{PROTOCOL}"],
        ["GAME.V1", f"bearer.{PROTOCOL}"],
        ["game.v1", f"bearer.{PROTOCOL}", f"bearer.{PROTOCOL}"],
        ["game.v1", f"bearer.{PROTOCOL}", "bearer.bad"],
        ["game.v1", f"bearer.{TICKET}"],
        ["game.v1", "bearer."],
        ["game.v1", f"bearer.{PROTOCOL}="],
    ],
)
def test_a_bearer_that_is_not_alone_beside_the_game_is_refused(names: list[str]) -> None:
    assert Desk().ask(f"/ws?token={QUERY}", offer(*names)) is None


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["chat"], None),
        (["game.v1"], "game.v1"),
        (["Bearer.x", "bearer", "game.v1"], "game.v1"),
        ([""], None),
    ],
)
def test_without_a_bearer_only_the_games_own_subprotocol_is_told(names: list[str], told: str | None) -> None:
    assert Desk().ask(f"/ws?token={QUERY}", offer(*names)) == (QUERY, told)


def test_a_good_header_does_not_mind_what_else_is_offered() -> None:
    found = Desk().ask("/ws", AUTHORIZATION, offer("game.v1", "bearer.bad", "bearer.worse"))

    assert found == (HEADER, "game.v1")


@pytest.mark.parametrize("headers", [[AUTHORIZATION], [OFFER], [("Authorization", "Bearer bad")], []])
def test_every_ticket_shown_is_used_up_whichever_way_decides(headers: list[tuple[str, str]]) -> None:
    desk = Desk()

    desk.ask(f"/ws?ticket={TICKET}", *headers)

    assert desk.shown == [TICKET]


def test_of_two_tickets_none_counts_and_both_are_used_up() -> None:
    desk = Desk()

    assert desk.ask(f"/ws?ticket={TICKET}&ticket={TICKET}2") is None
    assert desk.shown == [TICKET, f"{TICKET}2"]


def test_a_cookie_opens_nothing() -> None:
    cookie = f"__Host-gs_refresh={QUERY}; gs_refresh={QUERY}; token={QUERY}; ticket={TICKET}"

    assert Desk().ask("/ws", ("Cookie", cookie), ("X-GS", "1")) is None
