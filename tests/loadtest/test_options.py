"""The command line."""

import pytest

from loadtest.options import parse
from protocol.envelope import Format


def test_without_arguments_the_local_server_is_meant() -> None:
    options = parse([])

    assert (options.url, options.issuer) == ("http://127.0.0.1:7350", "http://127.0.0.1:7352")
    assert options.form is Format.JSON
    assert (options.scenario, options.match_size, options.rate) == ("relay", 10, 10.0)


def test_the_ramp_grows_with_the_players_unless_given() -> None:
    assert parse(["--players", "500"]).ramp_s == 10
    assert parse(["--players", "500", "--ramp", "0"]).ramp_s == 0


def test_a_trailing_slash_is_no_part_of_an_address() -> None:
    assert parse(["--url", "http://game.test/"]).url == "http://game.test"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--players", "0"],
        ["--players", "many"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--duration", "-1"],
        ["--ramp", "-1"],
        ["--url", "ws://127.0.0.1"],
        ["--scenario", "chaos"],
        ["--format", "xml"],
        ["--match-size", "0"],
        ["surprise"],
    ],
)
def test_what_makes_no_sense_ends_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
