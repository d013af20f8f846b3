"""The deny list: what it refuses, for how long, and who is told."""

import pytest

from server.identity.revocation import SWEEP_MIN, Revocations
from server.storage.revocations import SPARE_S, Ended, Revoked
from tests.support.clock import ManualClock


def revoked(family_id: str, session_exp: int, reason: Ended = Ended.LOGOUT) -> Revoked:
    return Revoked(family_id, session_exp, reason)


def test_the_deny_list_forgets_families_whose_tokens_are_long_over() -> None:
    clock = ManualClock()
    revocations = Revocations(clock)
    now = int(clock.wall())
    revocations.add([revoked(f"old-{index}", now + 10) for index in range(1000)])
    clock.advance(SPARE_S + 70)
    revocations.add([revoked(f"new-{index}", now + 100) for index in range(100)])

    assert len(revocations) == 100
    assert revocations.is_revoked("new-0")
    assert not revocations.is_revoked("old-0")


@pytest.mark.parametrize("back_s", [0, 7200, SPARE_S - 60])
def test_a_clock_that_is_set_back_revives_no_token(back_s: int) -> None:
    clock = ManualClock()
    revocations = Revocations(clock)
    exp = int(clock.wall()) + 7200
    revocations.add([revoked("family", exp)])

    clock.advance(7200 + back_s)
    revocations.add([revoked(str(index), exp + SPARE_S) for index in range(2 * SWEEP_MIN)])
    clock.advance(-back_s - 1)

    assert revocations.is_revoked("family")


def test_whoever_closes_sockets_is_told_once_of_each_ended_login() -> None:
    told: list[Revoked] = []
    revocations = Revocations(ManualClock(), told.extend)
    first, second = revoked("1", 100), revoked("2", 100, Ended.REUSE)

    revocations.add([first])
    revocations.add([first, second])
    revocations.add([])

    assert told == [first, second]
    assert {reason: count for reason, count in revocations.ended.items() if count} == {
        Ended.LOGOUT: 1,
        Ended.REUSE: 1,
    }


def test_what_is_loaded_is_refused_and_nobody_is_told() -> None:
    told: list[Revoked] = []
    revocations = Revocations(ManualClock(), told.extend)

    revocations.load([revoked("1", 100)])

    assert revocations.is_revoked("1")
    assert told == []
