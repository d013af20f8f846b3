"""What is done before the command itself: a server starts without collections of garbage."""

import gc
import sys
from collections.abc import Iterator

import pytest

from server import __main__, cli


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize(("command", "collects"), [("serve", False), ("check-config", True)])
def test_only_a_server_starts_without_collections(
    monkeypatch: pytest.MonkeyPatch, command: str, collects: bool
) -> None:
    seen = []

    def run() -> int:
        seen.append(gc.isenabled())
        return 3

    monkeypatch.setattr(cli, "main", run)
    monkeypatch.setattr(sys, "argv", ["lockgate", command])

    assert __main__.main() == 3
    assert seen == [collects]
