"""What a run must keep to: how it is written, and when it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.failures import SwarmError
from loadtest.figures import Quantity
from loadtest.result import Outcome, Truth
from loadtest.threshold import UNITS, keeps, parse, told, told_outcome
from tests.support.swarm_results import result, timing

GOOD = result()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("deliver_p99<20ms", 20),
        ("deliver_p99<20", 20),
        ("deliver_p99 < 0.5 s", 500),
        ("deliver_p99<250us", 0.25),
        ("deliver_p99<250µs", 0.25),
        ("deliver_p99<250\u03bcs", 0.25),
        ("  deliver_p99<2e1MS ", 20),
        ("kick_max<1min", 60_000),
        ("server_cpu<80%", 0.8),
        ("server_cpu<1.5", 1.5),
        ("server_rss<=200MiB", 200 * 2**20),
        ("server_rss<1gib", 2**30),
        ("server_rss<1GB", 1e9),
        ("server_rss<4096", 4096),
        ("delivered>=1000", 1000),
        ("delivered_per_s>=1000/s", 1000),
        ("errors[code<4 >]==0", 0),
    ],
)
def test_a_limit_is_kept_in_the_unit_of_its_figure(text: str, limit: float) -> None:
    assert parse(text).limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "found", "held"),
    [
        ("bridge_max<7.1ms", 7, True),
        ("bridge_max<6.9ms", 7, False),
        ("bridge_service_max<=3.6ms", 3.5, True),
        ("lost==0", 2, False),
        ("lost!=0", 2, True),
        ("lost<=2", 2, True),
        ("lost<2", 2, False),
        ("lost>2", 2, False),
        ("lost>=2", 2, True),
        ("delivered>=1000", 9, False),
        ("server_cpu<=40%", 0.4, True),
        ("server_rss<90MiB", 90 * 2**20, False),
        ("errors==0", 0, True),
    ],
)
def test_a_threshold_is_held_against_what_was_found(text: str, found: float, held: bool) -> None:
    outcome = parse(text).judge(result(truth=Truth(delivered=9, lost=2)))

    assert (outcome.text, outcome.held) == (text, held)
    assert outcome.found == pytest.approx(found, rel=0.001)


@pytest.mark.parametrize("order", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("name", ["echo_p99", "echo_p95", "rooms", "rooms_per_s"])
def test_what_has_nothing_to_look_at_does_not_hold(name: str, order: str) -> None:
    outcome = parse(f"{name}{order}5").judge(GOOD)

    assert outcome == Outcome(text=f"{name}{order}5", found=None, held=False)


@pytest.mark.parametrize(
    ("order", "held"), [("<", False), ("<=", True), (">", False), (">=", True), ("==", True)]
)
def test_what_differs_by_an_error_of_arithmetic_is_the_same(order: str, held: bool) -> None:
    assert keeps(0.1 + 0.2, order, 0.3) is held
    assert keeps(0.3, order, 0.1 + 0.2) is held


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_of_an_order_and_its_opposite_one_holds(found: float, limit: float) -> None:
    assert keeps(found, "<", limit) is not keeps(found, ">=", limit)
    assert keeps(found, ">", limit) is not keeps(found, "<=", limit)
    assert keeps(found, "==", limit) is not keeps(found, "!=", limit)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no threshold: it should look like"),
        ("lost", "is no threshold"),
        ("5<lost<7", "is no threshold"),
        ("errors[]==0", "is no threshold"),
        ("==0", "no figure ''"),
        ("lost=0", "'=' is none of < <= > >= == !="),
        ("lost=<0", "'=<' is none of"),
        ("lost<>0", "'<>' is none of"),
        ("lost==", "no limit"),
        ("lost==-1", "'-1' is no limit"),
        ("lost==none", "'none' is no limit"),
        ("lost==nan", "'nan' is no limit"),
        ("lost==1,000", "'1,000' is no limit"),
        ("deliver_p99<1e999", "too large"),
        ("deliver_p99<1e307s", "too large"),
        ("lost<1%", "lost is a number, not in '%'; it has no unit"),
        ("lost<1ms", "not in 'ms'"),
        ("delivered_per_s>5ms", "not in 'ms'"),
        ("deliver_p99<20MiB", "deliver_p99 is a time, not in 'MiB'; units are us"),
        ("deliver_p99<20%", "not in '%'"),
        ("deliver_count<20ms", "not in 'ms'"),
        ("server_cpu<80MiB", "server_cpu is a processor time"),
        ("server_rss<200ms", "units are B, kB, MB, GB, KiB, MiB, GiB"),
        ("delivr_p99<20ms", "did you mean 'deliver_p99'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(SwarmError) as refusal:
        parse(text)

    assert complaint in str(refusal.value)
    assert repr(text) in str(refusal.value)


@given(
    st.text(max_size=40)
    | st.from_regex(r"[a-z_0-9.\[\]]{1,20}[<>=!]{1,2}[0-9.a-zA-Z%/]{0,8}", fullmatch=True)
)
def test_any_text_is_a_threshold_or_refused(text: str) -> None:
    try:
        outcome = parse(text).judge(GOOD)
    except SwarmError:
        return
    assert outcome.found is not None or not outcome.held


def test_a_refusal_repeats_no_endless_text() -> None:
    with pytest.raises(SwarmError) as refusal:
        parse("x" * 100_000)

    assert len(str(refusal.value)) < 300


def test_names_of_a_scenario_s_own_are_taken() -> None:
    threshold = parse("delivery_p99<9ms", also=["delivery"])

    assert threshold.judge(result(timings={"delivery": timing(5)})).held


@pytest.mark.parametrize(
    ("value", "quantity", "text"),
    [
        (0.1234, Quantity.TIME, "0.1234 ms"),
        (31.25, Quantity.TIME, "31.25 ms"),
        (12_345.6, Quantity.TIME, "12,346 ms"),
        (1234, Quantity.NUMBER, "1,234"),
        (1234.5, Quantity.RATE, "1,234.50/s"),
        (0.4, Quantity.CPU, "0.4 cores"),
        (90 * 2**20, Quantity.BYTES, "90.0 MiB"),
    ],
)
def test_figures_are_told_with_their_unit(value: float, quantity: Quantity, text: str) -> None:
    assert told(value, quantity) == text


@pytest.mark.parametrize(
    ("text", "found", "line"),
    [
        ("deliver_p99<20ms", 31.25, "deliver_p99<20ms: found 31.25 ms"),
        ("delivery_p99<20ms", 31.25, "delivery_p99<20ms: found 31.25 ms"),
        ("echo_p99<20ms", None, "echo_p99<20ms: nothing to look at"),
        ("of a later program ~ 5", 5, "of a later program ~ 5: found 5"),
        ("a b<5", 7, "a b<5: found 7"),
    ],
)
def test_an_outcome_is_told_with_what_was_found(text: str, found: float | None, line: str) -> None:
    assert told_outcome(Outcome(text=text, found=found, held=False)) == line


def test_every_quantity_has_units() -> None:
    assert set(UNITS) == set(Quantity)
