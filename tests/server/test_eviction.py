"""What the end of a login does to its sockets."""

import pytest
from structlog.testing import capture_logs

from server.eviction import Eviction
from server.sessions.session import SessionState
from server.storage.revocations import Ended, Revoked
from server.tasks import TaskOwner
from tests.support.players import ALICE, BOB
from tests.support.seats import Table


async def ended_nowhere(_family_id: str, _reason: Ended) -> None:
    raise AssertionError("no login is to be ended here")


def evicting(table: Table, *, logout_closes_sockets: bool = True) -> Eviction:
    return Eviction(
        table.registry, ended_nowhere, TaskOwner("test"), logout_closes_sockets=logout_closes_sockets
    )


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [
        (Ended.LOGOUT, 4502, "logged out"),
        (Ended.LOGOUT_ALL, 4502, "logged out"),
        (Ended.REUSE, 4500, "session revoked"),
        (Ended.CROWDED_OUT, 4500, "session revoked"),
        (Ended.REPLACED, 4500, "session revoked"),
        (Ended.UNLINKED, 4500, "session revoked"),
        (Ended.OPERATOR, 4500, "session revoked"),
        (Ended.BANNED, 1000, "server-side session disconnect"),
        (Ended.DELETED, 1000, "server-side session disconnect"),
    ],
)
def test_the_reason_decides_the_close(reason: Ended, code: int, text: str) -> None:
    table = Table()
    alice, bob = table.seat(ALICE, family_id="one"), table.seat(BOB, family_id="two")
    evict = evicting(table)

    with capture_logs() as logged:
        evict([Revoked("one", 0, reason), Revoked("unknown", 0, reason)])

    assert (alice.session.close_code, alice.session.close_text) == (code, text)
    assert bob.session.state is SessionState.OPEN
    assert evict.closed == 1
    assert [event for event in logged if event["event"] == "logins_ended"] == [
        {
            "event": "logins_ended",
            "log_level": "info",
            "reason": reason.value,
            "logins": 2,
            "sockets": 1,
            "family_ids": ["one", "unknown"],
        }
    ]


def test_a_banned_player_is_told_so_before_the_close() -> None:
    table = Table()
    alice = table.seat(ALICE, family_id="one")

    evicting(table)([Revoked("one", 0, Ended.BANNED)])

    (notice,) = alice.heard()[-1]["notifications"]["notifications"]
    assert (notice["subject"], notice["code"], notice["content"]) == ("banned", -8, "{}")


def test_a_logout_may_leave_the_sockets_and_nothing_else_may() -> None:
    table = Table(single_socket=False)
    seated = [table.seat(ALICE, family_id=reason.value) for reason in Ended]
    evict = evicting(table, logout_closes_sockets=False)

    evict([Revoked(reason.value, 0, reason) for reason in Ended])

    spared = [each.session.family_id for each in seated if each.session.state is SessionState.OPEN]
    assert spared == ["logout", "logout_all"]


def test_a_long_list_is_named_in_part() -> None:
    with capture_logs() as logged:
        evicting(Table())([Revoked(str(number), 0, Ended.OPERATOR) for number in range(100)])

    assert logged[0]["logins"] == 100
    assert len(logged[0]["family_ids"]) == 20


async def test_the_login_of_a_named_socket_is_ended_where_that_socket_is() -> None:
    table, tasks = Table(), TaskOwner("test")
    alice = table.seat(ALICE, family_id="one")
    table.seat(BOB, family_id="two")
    ended: list[tuple[str, Ended]] = []

    async def end(family_id: str, reason: Ended) -> None:
        ended.append((family_id, reason))

    evict = Eviction(table.registry, end, tasks, logout_closes_sockets=True)

    evict.end_login_of(alice.session.session_id)
    evict.end_login_of("a socket of another process")
    await tasks.idle()

    assert ended == [("one", Ended.OPERATOR)]
