"""Exit statuses."""

import pytest

from loadtest.__main__ import main


@pytest.fixture
def nobody_listens() -> str:
    return "http://127.0.0.1:9"


def test_a_server_that_is_not_there_is_status_2(
    nobody_listens: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", nobody_listens, "--issuer", nobody_listens, "--players", "1"]) == 2

    assert "the issuer does not answer" in capsys.readouterr().err
