"""Metrics of this server, of others, and of none."""

from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from loadtest.exposition import MAX_NAMES, Exposition, between, parse
from server import __version__
from server.observe.histogram import Histogram
from server.observe.metrics import METRICS, Reading, registry

OURS = """\
# HELP lockgate_sockets_open Sockets that play.
# TYPE lockgate_sockets_open gauge
lockgate_sockets_open {open}
# TYPE lockgate_sessions_away gauge
lockgate_sessions_away 0.0
# TYPE lockgate_messages_in_total counter
lockgate_messages_in_total{{message="match_data_send"}} {sends}
lockgate_messages_in_total{{message="ping"}} 5.0
# TYPE lockgate_errors_total counter
lockgate_errors_total{{code="3"}} 2.0
# TYPE lockgate_loop_lag_seconds histogram
lockgate_loop_lag_seconds_bucket{{le="0.001"}} {first}
lockgate_loop_lag_seconds_bucket{{le="0.01"}} {second}
lockgate_loop_lag_seconds_bucket{{le="+Inf"}} {last}
lockgate_loop_lag_seconds_count {last}
lockgate_loop_lag_seconds_sum 1.0
python_info{{version="3.11.7"}} 1.0
process_cpu_seconds_total 12.5
process_resident_memory_bytes 9.4371840e+07
"""
BEFORE = OURS.format(open=9, sends=100, first=1000, second=1000, last=1000)

NAKAMA = """\
# TYPE nakama_sessions gauge
nakama_sessions{node_name="nakama1"} 12
# TYPE nakama_overall_count counter
nakama_overall_count{node_name="nakama1"} 70
# TYPE nakama_overall_latency_ms summary
nakama_overall_latency_ms{node_name="nakama1",quantile="0.5"} 0.4
nakama_overall_latency_ms{node_name="nakama1",quantile="0.99"} 7.5
nakama_overall_latency_ms_sum{node_name="nakama1"} 88
nakama_overall_latency_ms_count{node_name="nakama1"} 70
# TYPE nakama_idle_latency_ms summary
nakama_idle_latency_ms{quantile="0.99"} NaN
# TYPE go_goroutines gauge
go_goroutines 90
"""


def test_counters_are_told_as_rates_and_gauges_as_they_are() -> None:
    after = parse(OURS.format(open=10, sends=300, first=1000, second=1000, last=1000))

    assert between(parse(BEFORE), after, 2.0) == {
        "lockgate_messages_in_per_s": 100.0,
        "lockgate_sockets_open": 10.0,
    }


def test_a_state_that_ended_is_told_once_as_zero() -> None:
    after = parse(OURS.format(open=0, sends=100, first=1000, second=1000, last=1000))

    assert between(parse(BEFORE), after, 1.0) == {"lockgate_sockets_open": 0.0}


def test_the_lag_is_that_of_the_time_between() -> None:
    # 100 more beats: 90 within a millisecond, ten within ten; the 99th is nine tenths up the second bucket.
    after = parse(OURS.format(open=0, sends=100, first=1090, second=1100, last=1100))

    assert between(parse(BEFORE), after, 1.0)["lockgate_loop_lag_seconds_p99"] == pytest.approx(0.0091)


def test_beyond_the_last_bound_only_that_bound_is_known() -> None:
    after = parse(OURS.format(open=0, sends=100, first=1000, second=1000, last=1100))

    assert between(parse(BEFORE), after, 1.0)["lockgate_loop_lag_seconds_p99"] == 0.01


def test_a_restarted_server_counts_from_its_start() -> None:
    after = parse(OURS.format(open=1, sends=20, first=10, second=10, last=10))

    told = between(parse(BEFORE), after, 1.0)

    assert told["lockgate_messages_in_per_s"] == 25
    assert told["lockgate_loop_lag_seconds_p99"] == pytest.approx(0.00099)


def test_no_time_has_no_rates() -> None:
    assert "lockgate_messages_in_per_s" not in between(Exposition(), parse(BEFORE), 0.0)


def test_another_server_is_read_too() -> None:
    after = NAKAMA.replace('nakama_overall_count{node_name="nakama1"} 70', "nakama_overall_count 170")

    assert between(parse(NAKAMA), parse(after), 10.0) == {
        "nakama_overall_latency_ms_p99": 7.5,
        "nakama_overall_count_per_s": 10.0,
        "nakama_sessions": 12.0,
    }


def test_of_too_many_names_the_telling_ones_are_kept() -> None:
    many = "".join(f"a_thing_{number} 1\n" for number in range(500)) + "zz_unsent_bytes 7\n"

    told = between(Exposition(), parse(many), 1.0)

    assert len(told) == MAX_NAMES
    assert next(iter(told)) == "zz_unsent_bytes"


def of_this_server(amount: float) -> str:
    """Its page of metrics, with this amount in each."""
    late = Histogram()
    for _ in range(int(amount)):
        late.observe(0.004)
    sources: dict[str, Reading] = {
        name: late if metric.kind == "histogram" else {"any": amount} if metric.label else amount
        for name, metric in METRICS.items()
    }
    return generate_latest(registry({name: partial(_same, told) for name, told in sources.items()})).decode()


def _same(reading: Reading) -> Reading:
    return reading


def test_of_this_server_what_tells_of_its_load_comes_first() -> None:
    told = between(parse(of_this_server(10.0)), parse(of_this_server(30.0)), 1.0)

    first = list(told)[:12]
    assert told["lockgate_loop_lag_seconds_p99"] == pytest.approx(0.005, rel=0.01)
    assert told["lockgate_errors_per_s"] == 20
    assert {
        "lockgate_loop_lag_seconds_p99",
        "lockgate_match_tick_lateness_seconds_p99",
        "lockgate_outgoing_unsent_bytes",
        "lockgate_outgoing_dropped_per_s",
    } <= set(first)
    assert parse(of_this_server(1.0)).version == __version__
    assert {"lockgate_sockets_open", "lockgate_messages_delivered_per_s"} <= told.keys()


def test_a_version_is_told_by_the_build_info() -> None:
    assert parse('lockgate_build_info{version="0.1.0"} 1\n').version == "0.1.0"
    assert parse('go_build_info{version="(devel)"} 1\n').version == ""
    assert parse(BEFORE).version == ""


@pytest.mark.parametrize("text", ["<html><body>Lost</body></html>", "a b c d\n", "x{y 3\n", "# TYPE a\n"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        parse(text)


PIECES = ["# TYPE a histogram", "a_bucket", '{le="', "x", '"}', " ", "1", "\n", "NaN"]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_pieces_of_metrics_are_read_or_refused(pieces: list[str]) -> None:
    try:
        told = between(Exposition(), parse("".join(pieces)), 1.0)
    except ValueError:
        told = {}

    assert len(told) <= MAX_NAMES
