"""Who may open a socket, by count and by rate."""

from typing import Any

import pytest

from server.config import AdmissionSettings
from server.web.admission import BURST_S, Admission, Places
from server.web.refusals import Refusals
from tests.support.clock import ManualClock

FREE = {name: 0 for name in AdmissionSettings.model_fields if not name.endswith("_timeout_s")}


def admission(**limits: int) -> Admission:
    chosen: dict[str, Any] = FREE | limits
    return Admission(AdmissionSettings(**chosen), Refusals({}))


def admitted(some: Admission, site: str, times: int, now: float = 0.0) -> int:
    """How many of so many sockets get in."""
    came_in = 0
    for _ in range(times):
        if some.judge(site, now) == 0:
            some.enter(site)
            came_in += 1
    return came_in


def test_without_limits_everybody_gets_in() -> None:
    some = admission()

    assert admitted(some, "a", 5000) == 5000
    assert some.places.sites == 0


def test_as_many_sockets_as_there_are_places_and_not_one_more() -> None:
    some = admission(sockets_total=3)

    assert admitted(some, "a", 2) == 2
    assert admitted(some, "b", 2) == 1

    some.leave("a")
    assert admitted(some, "c", 2) == 1


def test_an_address_has_its_places_and_others_have_theirs() -> None:
    some = admission(sockets_per_address=2)

    assert admitted(some, "a", 3) == 2
    assert admitted(some, "b", 3) == 2

    some.leave("a")
    assert admitted(some, "b", 1) == 0
    assert admitted(some, "a", 3) == 1


def test_an_address_is_forgotten_with_its_last_socket() -> None:
    some = admission(sockets_per_address=2)
    for number in range(1000):
        some.enter(f"site-{number}")
    for number in range(1000):
        some.leave(f"site-{number}")

    assert (len(some.places), some.places.sites) == (0, 0)


def test_sockets_without_an_address_count_only_with_all_the_others() -> None:
    some = admission(sockets_total=5, sockets_per_address=1, handshakes_per_s_per_address=1)

    assert admitted(some, "", 9) == 5
    assert some.places.sites == 0


def test_who_is_refused_for_a_full_server_uses_nothing_up() -> None:
    some = admission(sockets_total=1, handshakes_per_s=2)
    admitted(some, "a", 1)
    for _ in range(10):
        some.judge("b", 0.0)

    some.leave("a")

    assert admitted(some, "b", 1) == 1


def test_a_second_has_so_many_handshakes_and_as_many_may_come_at_once() -> None:
    some, clock = admission(handshakes_per_s=100), ManualClock()

    assert admitted(some, "a", 150, clock.monotonic()) == 100
    clock.advance(0.5)
    assert admitted(some, "b", 150, clock.monotonic()) == 50
    clock.advance(60)
    assert admitted(some, "c", 150, clock.monotonic()) == 100


def test_an_address_that_floods_does_not_use_up_what_all_share() -> None:
    some = admission(handshakes_per_s=100, handshakes_per_s_per_address=2)

    flood = admitted(some, "a", 10_000)

    assert flood == 2 * BURST_S
    assert [admitted(some, f"player-{number}", 1) for number in range(80)] == [1] * 80


def test_a_refusal_says_when_to_come_again_and_is_counted_by_its_reason() -> None:
    refusals = Refusals({})
    limits: dict[str, Any] = FREE | {"handshakes_per_s_per_address": 1, "sockets_total": 100}
    some = Admission(AdmissionSettings(**limits), refusals)
    admitted(some, "a", BURST_S)

    assert some.judge("a", 0.0) >= 1
    admitted(some, "", 200)

    assert refusals.counts["handshakes_per_s_per_address"] == 1
    assert refusals.counts["sockets_total"] == 200 - (100 - BURST_S)


def test_five_thousand_players_who_come_within_ten_seconds_are_let_in() -> None:
    some, clock = Admission(AdmissionSettings(), Refusals({})), ManualClock()
    refused = 0
    for number in range(5000):
        refused += some.judge(f"198.51.{number % 250}.{number // 250}", clock.monotonic()) != 0
        clock.advance(10 / 5000)

    assert refused == 0


def test_five_thousand_who_come_at_once_are_all_in_when_each_did_as_they_were_told() -> None:
    some, clock = Admission(AdmissionSettings(), Refusals({})), ManualClock()
    due = {f"198.51.{number % 250}.{number // 250}": 0 for number in range(5000)}
    seconds = 0
    while due:
        busy = 0
        for site in [site for site, at in due.items() if at <= seconds]:
            wait_s = some.judge(site, clock.monotonic())
            busy += 1
            if wait_s:
                due[site] = seconds + wait_s
            else:
                some.enter(site)
                del due[site]
        assert busy <= 5000 if seconds == 0 else busy <= 1100
        seconds += 1
        clock.advance(1)

    assert seconds <= 12


@pytest.mark.parametrize(("total", "per_site"), [(0, 0), (5, 0), (0, 5), (5, 5)])
def test_places_are_free_again_when_all_have_left(total: int, per_site: int) -> None:
    places = Places(total, per_site)
    for _ in range(5):
        places.take("a")
        places.free("a")

    assert (len(places), places.sites, places.is_full, places.is_full_for("a")) == (0, 0, False, False)
