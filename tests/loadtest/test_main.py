"""Exit statuses."""

import pytest

from loadtest import commands
from loadtest.__main__ import main
from loadtest.failures import SwarmError


@pytest.fixture
def nobody_listens() -> str:
    return "http://127.0.0.1:9"


def test_a_server_that_is_not_there_is_status_2(
    nobody_listens: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", nobody_listens, "--issuer", nobody_listens, "--players", "1"]) == 2

    assert "no server answers at 127.0.0.1, port 9" in capsys.readouterr().err


def test_what_is_noted_beside_an_error_is_told_behind_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> int:
        error = SwarmError("a worker failed: ValueError")
        error.add_note("Traceback: of the scenario")
        raise error

    monkeypatch.setattr(commands, "main", failing)

    assert main(["list"]) == 2
    assert capsys.readouterr().err == "swarm: a worker failed: ValueError\nTraceback: of the scenario\n"
