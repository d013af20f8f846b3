"""The arithmetic of freezes against brute force, and against a site that really freezes."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.freezes import (
    Freeze,
    Freezer,
    closed_loop_latencies,
    closed_loop_percentile,
    expected_latencies,
    freezes_of,
    mean,
    percentile,
    percentile_of,
    share_above,
)
from tests.support.frozen_site import frozen_site
from tests.support.frozen_site import main as frozen_main
from tests.support.paced import Paced, paced_pings
from tests.support.rawsocket import RawSocket

QUANTILES = (0, 50, 89, 90, 91, 95, 99, 99.9, 100)


def periodic(period_s: float, for_s: float, count: int, first_s: float = 0) -> list[Freeze]:
    begins = [first_s + number * period_s for number in range(count)]
    return [(begun_s, begun_s + for_s) for begun_s in begins]


def evenly(begin_s: float, end_s: float, per_s: int) -> list[float]:
    """Arrivals in the middle of equal slices of time."""
    return [begin_s + (number + 0.5) / per_s for number in range(round((end_s - begin_s) * per_s))]


# ---- the analytic answer


def test_a_second_in_every_ten_leaves_the_median_alone_and_shows_in_the_p99() -> None:
    assert percentile(50, 10, 1) == 0
    assert percentile(90, 10, 1) == pytest.approx(0)
    assert percentile(95, 10, 1) == pytest.approx(0.5)
    assert percentile(99, 10, 1) == pytest.approx(0.9)
    assert percentile(99.9, 10, 1) == pytest.approx(0.99)
    assert percentile(100, 10, 1) == 1
    assert mean(10, 1) == pytest.approx(0.05)


@pytest.mark.parametrize(("period_s", "for_s"), [(10, 1), (2, 0.5), (1, 0.9), (0.4, 0.05)])
def test_the_formula_is_what_counting_finds_over_whole_periods(period_s: float, for_s: float) -> None:
    per_s = 4000
    latencies = expected_latencies(evenly(0, 5 * period_s, per_s), periodic(period_s, for_s, 5))

    slice_s = 1 / per_s
    for q in QUANTILES:
        assert percentile_of(latencies, q) == pytest.approx(percentile(q, period_s, for_s), abs=2 * slice_s)
    assert sum(latencies) / len(latencies) == pytest.approx(mean(period_s, for_s), abs=slice_s)
    above = sum(each > for_s / 3 for each in latencies) / len(latencies)
    assert above == pytest.approx(share_above(for_s / 3, period_s, for_s), abs=2 * slice_s / period_s)


def test_no_share_waits_longer_than_the_freeze_and_all_wait_longer_than_less_than_nothing() -> None:
    assert share_above(1, 10, 1) == share_above(3, 10, 1) == 0
    assert share_above(0, 10, 1) == pytest.approx(0.1)
    assert share_above(-0.001, 10, 1) == 1


# ---- runs that are no whole number of periods


def test_a_run_that_ends_behind_a_freeze_has_a_greater_share_of_them_than_the_formula_knows() -> None:
    # 21 seconds with three freezes of one: 3 of 21 wait, and not 1 of 10.
    latencies = expected_latencies(evenly(0, 21, 1000), periodic(10, 1, 3))

    assert sum(each > 0 for each in latencies) / len(latencies) == pytest.approx(3 / 21, abs=1e-3)
    # A share of 0.01 is 0.21 s of this run, 0.07 s of each freeze: the p99 is 0.07 s below the longest.
    assert percentile_of(latencies, 99) == pytest.approx(1 - 0.07, abs=2e-3)
    assert percentile(99, 10, 1) == pytest.approx(0.9)


def test_a_run_that_ends_within_a_freeze_has_only_the_messages_that_wait_longest() -> None:
    latencies = expected_latencies(evenly(0, 10.25, 1000), [(10, 11)])

    waiting = [each for each in latencies if each > 0]
    assert len(waiting) == 250
    assert min(waiting) == pytest.approx(0.75, abs=1e-3)
    assert max(waiting) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("at_s", "waits_s"), [(0.9, 0), (1, 0.5), (1.25, 0.25), (1.5, 0), (1.7, 0), (2, 0.1), (9, 0)]
)
def test_each_message_waits_for_the_rest_of_the_freeze_it_is_in(at_s: float, waits_s: float) -> None:
    assert expected_latencies([at_s], [(2, 2.1), (1, 1.5)]) == [pytest.approx(waits_s)]


def test_without_freezes_nobody_waits() -> None:
    assert expected_latencies([1, 2, 3], []) == [0, 0, 0]


def test_freezes_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        expected_latencies([1], [(0, 2), (1, 3)])


# ---- what coordinated omission makes of it


def test_who_waits_for_answers_reports_a_median_for_the_p99() -> None:
    # 10 messages a second: of 91 in a period one waits, where ten of a hundred do.
    assert closed_loop_percentile(95, 10, 1, 0.1) == 0
    assert percentile(95, 10, 1) == pytest.approx(0.5)
    # 100 a second: the p99 is gone as well.
    assert closed_loop_percentile(99, 10, 1, 0.01) == 0
    assert percentile(99, 10, 1) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("period_s", "for_s", "every_s"),
    [(10, 1, 0.1), (10, 1, 0.01), (2, 0.5, 0.07), (1, 0.6, 0.3), (1, 0.5, 0.25)],
)
def test_the_closed_loop_formula_is_what_playing_it_finds(
    period_s: float, for_s: float, every_s: float
) -> None:
    # From one thaw to another. A freeze begins a hair early, so that what is due with it is in it.
    thaw_s, periods, hair_s = 1000.0, 40, 1e-7
    freezes = periodic(period_s, for_s + hair_s, periods, thaw_s + period_s - for_s - hair_s)
    latencies = closed_loop_latencies(thaw_s, thaw_s + periods * period_s - 1e-6, every_s, freezes)

    for q in QUANTILES:
        found = percentile_of(latencies, q)
        assert found == pytest.approx(closed_loop_percentile(q, period_s, for_s, every_s), abs=1e-4)


def test_who_sends_less_than_twice_in_a_freeze_is_beyond_the_closed_loop_formula() -> None:
    with pytest.raises(ValueError, match="two messages"):
        closed_loop_percentile(99, 10, 1, 0.6)


def test_who_sends_more_rarely_than_freezes_are_long_omits_nothing() -> None:
    freezes = periodic(10, 1, 100)

    closed = closed_loop_latencies(0.31, 1000, 1.7, freezes)

    opened = [0.31 + number * 1.7 for number in range(len(closed))]
    assert closed == pytest.approx(expected_latencies(opened, freezes), abs=1e-6)


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        percentile_of([], 50)


# ---- real ones


async def test_freezes_are_counted_from_one_instant_and_do_not_drift() -> None:
    loop, found = asyncio.get_running_loop(), list[Freeze]()
    done = asyncio.Event()

    def told(freeze: Freeze) -> None:
        found.append(freeze)
        if len(found) == 5:
            freezer.stop()
            done.set()

    freezer = Freezer(0.03, 0.01, told)
    begun_s = loop.time()
    freezer.begin()
    await done.wait()
    freezer.stop()

    assert all(begin_s >= begun_s + 0.03 * number - 0.001 for number, (begin_s, _) in enumerate(found, 1))
    assert all(end_s - begin_s >= 0.01 for begin_s, end_s in found)


async def test_a_freeze_as_long_as_its_period_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Freezer(1, 1, lambda _freeze: None)


async def test_an_open_load_on_a_site_that_freezes_finds_what_is_expected(tmp_path: Path) -> None:
    with frozen_site(tmp_path, 0.5, 0.2) as site:
        socket = await RawSocket.dial(site.host, site.port)
        assert (await socket.upgrade("/ws?token=session-ann")).status == 101

        begun_s = time.monotonic() + 0.01
        pings = await paced_pings(socket, [begun_s + number * 0.005 for number in range(260)])

        await socket.hang_up()
    expected = expected_latencies([each.due_s for each in pings], freezes_of(site.events))
    excess = [each.response_s - waits_s for each, waits_s in zip(pings, expected, strict=True)]
    assert sum(waits_s > 0 for waits_s in expected) > 60
    # What reached the kernel before a freeze may be answered behind it, and never the other way round.
    assert min(excess) > -0.001
    assert percentile_of(excess, 75) < 0.1
    assert percentile_of([each.response_s for each in pings], 99) > 0.15
    assert percentile_of(closed_loop(pings), 75) < 0.1


def closed_loop(pings: list[Paced]) -> list[float]:
    """Of an open load, what would have been recorded if each had waited for the one before."""
    found, free_s = list[float](), 0.0
    for each in pings:
        if each.due_s >= free_s:
            found.append(each.response_s)
            free_s = each.answered_s
    return found


@pytest.mark.parametrize("arguments", [(), ("1",), ("1", "x"), ("1", "2"), ("1", "0")])
def test_a_site_with_times_that_make_no_sense_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert frozen_main(arguments) == 2
    assert capsys.readouterr().err.startswith("frozen_site: ")
