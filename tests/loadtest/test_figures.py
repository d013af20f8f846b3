"""What can be asked of a result by name, and what is taken for a slip of the pen."""

import pytest

from loadtest.failures import SwarmError
from loadtest.figures import OPERATIONS, PLAIN, STATISTICS, Quantity, figure, percent
from loadtest.result import Result, Spread, Timing, Truth
from tests.support.swarm_results import honesty, interval, result, spread, timing


def _busy() -> Result:
    return result(
        timings={"echo": timing(*range(1, 1001)), "room": timing(7)},
        truth=Truth(sent=11, expected=12, delivered=13, lost=14, duplicated=15, two_sockets=16),
        counts={"sent": 11, "resent": 4, "queue_count": 5},
        errors={"503 Busy": 2, "no answer [503]": 3, "refused": 4},
        connected=21,
        honesty=honesty(lag_p99_ms=1.25, lag_max_ms=2.5, slip_p99_ms=3.75, gc_max_ms=5.25, cpu=0.625),
        server_cpu=0.875,
        server_rss_bytes=2**20,
        measured_from_s=1.0,
        measured_s=2.0,
        intervals=[
            interval(0, counts={"sent": 1000}, errors={"503": 1000}),
            interval(1, counts={"sent": 30}, errors={"503": 1, "refused": 2}),
            interval(2, counts={"sent": 10}),
            interval(3, counts={"sent": 1000}),
        ],
    )


BUSY = _busy()
"""A run in which every figure has a value of its own."""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("echo_p50", 500),
        ("echo_p90", 900),
        ("echo_p95", 950),
        ("echo_p99", 990),
        ("echo_p99.9", 999),
        ("echo_p999", 999),
        ("echo_p12.5", 125),
        ("echo_p100", 1000),
        ("echo_max", 1000),
        ("echo_mean", 500.5),
        ("echo_count", 1000),
        ("echo_service_p99", 495),
        ("echo_service_p75", 375),
        ("echo_service_mean", 250.25),
        ("room_p99", 7),
        ("queue_count", 5),
        ("sent", 11),
        ("expected", 12),
        ("delivered", 13),
        ("lost", 14),
        ("duplicated", 15),
        ("two_sockets", 16),
        ("resent", 4),
        ("errors", 9),
        ("errors[503]", 5),
        ("errors[busy]", 2),
        ("errors[[503]]", 3),
        ("errors[never seen]", 0),
        ("connected", 21),
        ("server_cpu", 0.875),
        ("server_rss", 2**20),
        ("swarm_cpu", 0.625),
        ("lag_p99", 1.25),
        ("lag_max", 2.5),
        ("slip_p99", 3.75),
        ("gc_max", 5.25),
        ("sent_per_s", 20),
        ("errors_per_s", 1.5),
    ],
)
def test_a_name_finds_its_figure(name: str, found: float) -> None:
    assert figure(name).find(BUSY) == pytest.approx(found, rel=0.002)


@pytest.mark.parametrize(
    "name",
    [
        "join_p99",
        "join_p95",
        "join_count",
        "join_service_max",
        "rooms",
        "rooms_per_s",
        "deliver_service_mean",
    ],
)
def test_what_a_run_did_not_do_has_no_figure(name: str) -> None:
    assert figure(name).find(BUSY) is None


@pytest.mark.parametrize("name", ["echo_p99", "echo_p95", "echo_max", "echo_mean"])
def test_an_operation_that_never_came_to_an_end_has_no_latency(name: str) -> None:
    never = result(timings={"echo": Timing(response=spread(), service=spread())})

    assert figure(name).find(never) is None
    assert figure("echo_count").find(never) == 0


@pytest.mark.parametrize("encoded", ["", "no histogram"])
def test_a_percentile_that_is_not_stored_needs_the_histogram(encoded: str) -> None:
    bare = Spread(count=3, mean=1, p50=1, p90=1, p99=2, p999=3, max=4, hdr=encoded)
    found = result(timings={"echo": Timing(response=bare, service=bare)})

    assert figure("echo_p95").find(found) is None
    assert figure("echo_p99").find(found) == 2


def test_without_the_server_s_metrics_nothing_is_known_of_it() -> None:
    blind = result(server_cpu=None, server_rss_bytes=None)

    assert figure("server_cpu").find(blind) is None
    assert figure("server_rss").find(blind) is None


def test_rates_need_measured_intervals() -> None:
    assert figure("errors_per_s").find(result(intervals=[])) is None
    assert figure("sent_per_s").find(result(intervals=[])) is None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_known_name_is_accepted(operation: str, statistic: str) -> None:
    kind = Quantity.NUMBER if statistic == "count" else Quantity.TIME

    assert figure(f"{operation}_{statistic}").quantity is kind
    assert figure(f"{operation}_service_{statistic}").quantity is kind


@pytest.mark.parametrize("name", [*Truth.__struct_fields__, *PLAIN])
def test_every_figure_of_all_results_is_accepted(name: str) -> None:
    assert figure(name).name == name


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("delivr_p99", "deliver_p99"),
        ("delivery_p99", "deliver_p99"),
        ("deliver_P99", "deliver_p99"),
        ("Lost", "lost"),
        ("lst", "lost"),
        ("dupliacted", "duplicated"),
        ("error", "errors"),
        ("conected", "connected"),
        ("server_cpus", "server_cpu"),
        ("lag_p9", "lag_p99"),
        ("deliver_avg", "deliver_mean"),
        ("deliver_median", "deliver_p50"),
        ("deliver_service_avg", "deliver_service_mean"),
        ("deliver_p101", "deliver_p99"),
        ("deliver_p0", "deliver_p99"),
        ("deliver_p9x", "deliver_p99"),
        ("matchmakng_service_p95", "matchmaking_service_p95"),
        ("deliverd_per_s", "delivered_per_s"),
        ("error_per_s", "errors_per_s"),
    ],
)
def test_a_slip_is_refused_with_what_was_probably_meant(slip: str, meant: str) -> None:
    with pytest.raises(SwarmError, match=f"did you mean {meant!r}.*Known are"):
        figure(slip)


@pytest.mark.parametrize("name", ["", "deliver p99", "99", "_p99", "errors[]", "a-b", "deliver.p99", "é_p99"])
def test_what_is_no_name_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(SwarmError, match=r"no figure.*deliver.*p99\.9.*lost"):
        figure(name)


def test_the_names_of_a_scenario_are_no_slips() -> None:
    found = result(timings={"delivery": timing(5)}, counts={"losts": 3}, intervals=[])

    assert figure("delivery_p99", ["delivery"]).find(found) == pytest.approx(5, rel=0.001)
    assert figure("losts", ["losts"]).find(found) == 3


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("p1", 1),
        ("p50", 50),
        ("p99.99", 99.99),
        ("p9999", 99.99),
        ("p995", 99.5),
        ("p100", 100),
        ("p0.1", 0.1),
    ],
)
def test_percentiles_are_written_with_or_without_their_dot(text: str, asked: float) -> None:
    assert percent(text) == asked


@pytest.mark.parametrize(
    "text", ["p", "p0", "p101", "p500", "p99.", "p-1", "p99,9", "P99", "p99.9.9", "99", "pp9"]
)
def test_what_is_no_percentile_is_told(text: str) -> None:
    assert percent(text) is None
