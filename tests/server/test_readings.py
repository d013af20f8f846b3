"""Every metric is read from somewhere, in a server that runs."""

import urllib.request
from pathlib import Path

from server.observe.metrics import METRICS
from tests.support.running import running_server


def test_a_running_server_shows_every_metric(tmp_path: Path) -> None:
    with (
        running_server(tmp_path) as server,
        urllib.request.urlopen(f"http://{server.ops}/metrics", timeout=10) as answer,
    ):
        shown = answer.read().decode()

    missing = [name for name in METRICS if f"# TYPE {name} " not in shown]
    assert missing == []
