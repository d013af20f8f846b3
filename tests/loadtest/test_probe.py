"""The server's use of the machine, from text and from the system."""

import os

from loadtest.probe import of_metrics, of_process

METRICS = """\
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
process_cpu_seconds_total 12.5
process_resident_memory_bytes 9.4371840e+07
lockgate_sockets_open 3.0
"""


def test_metrics_tell_processor_and_memory() -> None:
    usage = of_metrics(METRICS)

    assert usage is not None
    assert (usage.cpu_s, usage.rss_bytes) == (12.5, 90 * 2**20)


def test_other_text_tells_nothing() -> None:
    assert of_metrics("") is None
    assert of_metrics("process_cpu_seconds_total many\nprocess_resident_memory_bytes 1") is None


def test_a_process_is_read_from_the_system() -> None:
    usage = of_process(os.getpid())

    assert usage is not None
    assert usage.cpu_s > 0
    assert usage.rss_bytes > 2**20


def test_a_process_that_is_not_there_tells_nothing() -> None:
    assert of_process(2**30) is None
