"""What is counted, told and logged of those who are turned away."""

from collections import Counter

import pytest

from server.web.refusals import FURTHEST_S, NEWS_S, SITES, USUAL, News, Reason, Refusals


def refusals(per_s: float = 100) -> Refusals:
    return Refusals({Reason.HANDSHAKES: per_s})


def test_those_refused_together_do_not_come_back_together() -> None:
    some = refusals(100)

    told = Counter(some.refuse(Reason.HANDSHAKES, "a", 1000.0) for _ in range(1000))

    assert sum(told.values()) == 1000
    assert max(told.values()) <= 101
    assert set(told) == set(range(1, 11))


def test_nobody_is_sent_away_for_too_long_because_of_others() -> None:
    some = refusals(100)

    told = Counter(some.refuse(Reason.HANDSHAKES, "a", 1000.0) for _ in range(30_000))

    assert max(told) == FURTHEST_S
    assert max(told.values()) <= 11 * 101  # thirty seconds, ten times over


def test_the_seconds_that_have_passed_are_not_given_out_again() -> None:
    some = refusals(1)
    for _ in range(5):
        some.refuse(Reason.HANDSHAKES, "a", 1000.0)

    assert some.refuse(Reason.HANDSHAKES, "a", 1003.0) == 2
    assert some.refuse(Reason.HANDSHAKES, "a", 2000.0) == 1


def test_a_wait_that_is_known_is_the_least() -> None:
    assert refusals().refuse(Reason.HANDSHAKES, "a", 0.0, 7.2) == 8


def test_every_reason_is_counted_from_zero() -> None:
    some = refusals()

    some.count(Reason.SILENT, "a")
    some.refuse(Reason.SOCKETS_TOTAL, "a", 0.0)

    assert some.counts == dict.fromkeys(Reason, 0) | {"silent": 1, "sockets_total": 1}


def test_the_log_is_told_the_commonest_reason_and_whom_it_met_most() -> None:
    some = refusals()
    for site, times in (("a", 2), ("b", 5), ("c", 1)):
        for _ in range(times):
            some.refuse(Reason.HANDSHAKES, site, 0.0)
    for _ in range(7):
        some.refuse(Reason.SOCKETS_TOTAL, "d", 0.0)

    assert some.news(0.0) == News(15, Reason.HANDSHAKES, 8, "b")


def test_a_flood_is_one_line_in_its_time() -> None:
    some = refusals()
    lines = []
    for second in range(60):
        for _ in range(1000):
            some.refuse(Reason.HANDSHAKES, "a", float(second))
        lines.append(some.news(float(second)))

    assert [line.refused for line in lines if line] == [1000, *[10_000] * 5]
    assert [second for second, line in enumerate(lines) if line] == [0, 10, 20, 30, 40, 50]


def test_nothing_new_is_no_line() -> None:
    some = refusals()
    some.refuse(Reason.HANDSHAKES, "a", 0.0)
    some.news(0.0)

    assert some.news(NEWS_S) is None


@pytest.mark.parametrize("reason", sorted(USUAL))
def test_what_everybody_does_is_no_news(reason: Reason) -> None:
    some = refusals()

    some.count(reason, "a")

    assert some.news(0.0) is None


def test_many_addresses_take_no_more_memory_and_none_is_left_out_of_the_sum() -> None:
    some = refusals()
    for number in range(10 * SITES):
        some.refuse(Reason.HANDSHAKES, f"site-{number}", 0.0)

    assert len(some._since) == SITES + 1
    told = some.news(0.0)

    assert told is not None
    assert (told.refused, told.of_reason) == (10 * SITES, 10 * SITES)
    assert len(some._since) == 0
