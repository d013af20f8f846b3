"""Metrics: every name has a source, and the text that Prometheus reads."""

import pytest
from prometheus_client import generate_latest

from server import __version__
from server.observe.histogram import Histogram
from server.observe.metrics import METRICS, Metric, Reading, Readings, registry


def sources() -> dict[str, object]:
    return {name: lambda metric=metric: some_reading(metric) for name, metric in METRICS.items()}


def some_reading(metric: Metric) -> Reading:
    if metric.kind == "histogram":
        seen = Histogram()
        seen.observe(0.002)
        return seen
    return {"a": 1.0, "b": 2.0} if metric.label else 7.0


def text() -> str:
    return generate_latest(registry(sources())).decode()  # type: ignore[arg-type]  # readings by name


def test_every_metric_is_shown_with_its_kind_and_help() -> None:
    shown = text()

    for name, metric in METRICS.items():
        assert f"# HELP {name} {metric.help}" in shown
        assert f"# TYPE {name} {metric.kind}" in shown


def test_a_labelled_metric_has_a_sample_per_value() -> None:
    shown = text()

    assert 'lockgate_sockets_closed_total{code="a"} 1.0' in shown
    assert 'lockgate_sockets_closed_total{code="b"} 2.0' in shown
    assert "lockgate_sockets_open 7.0" in shown


def test_a_histogram_is_shown_by_bucket() -> None:
    shown = text()

    assert 'lockgate_match_tick_lateness_seconds_bucket{le="0.001"} 0.0' in shown
    assert 'lockgate_match_tick_lateness_seconds_bucket{le="0.0025"} 1.0' in shown
    assert "lockgate_match_tick_lateness_seconds_count 1.0" in shown
    assert "lockgate_match_tick_lateness_seconds_sum 0.002" in shown


def test_the_process_is_shown_too() -> None:
    shown = text()

    assert "process_cpu_seconds_total" in shown
    assert "process_resident_memory_bytes" in shown


def test_the_server_tells_its_version() -> None:
    assert f'lockgate_build_info{{version="{__version__}"}} 1.0' in text()


def test_a_metric_without_source_and_a_source_without_metric_are_found_at_start() -> None:
    missing = sources()
    del missing["lockgate_matches"]

    with pytest.raises(ValueError, match="lockgate_matches"):
        Readings(missing)  # type: ignore[arg-type]  # readings by name
    with pytest.raises(ValueError, match="lockgate_extra"):
        Readings({**sources(), "lockgate_extra": lambda: 1.0})  # type: ignore[dict-item]  # as above


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert name.startswith("lockgate_")
        assert (metric.kind == "counter") == name.endswith("_total")
