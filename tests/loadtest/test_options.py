"""The command line, and the files that may stand for it."""

from pathlib import Path

import pytest

from loadtest.failures import SwarmError
from loadtest.options import SECRET, parse


def test_without_arguments_the_local_server_is_meant() -> None:
    options = parse([])

    assert options.command == "run"
    assert (options.plan.url, options.plan.ops) == ("http://127.0.0.1:7350", "http://127.0.0.1:7351")
    assert (options.plan.scenario, options.plan.format, options.plan.workers) == ("relay", "json", 1)


def test_the_ramp_grows_with_the_players_unless_given() -> None:
    assert parse(["--players", "500"]).plan.ramp_s == 5
    assert parse(["--players", "500", "--ramp", "0"]).plan.ramp_s == 0


def test_a_trailing_slash_is_no_part_of_an_address() -> None:
    assert parse(["--url", "http://game.test/"]).plan.url == "http://game.test"


def test_settings_have_names_and_the_common_ones_a_flag() -> None:
    plan = parse(
        ["--scenario", "relay", "--set", "rate=5", "--set", "payload-bytes=96", "--match-size", "4"]
    ).plan

    assert plan.settings == {"match_size": 4, "rate": 5.0, "payload_bytes": 96}


def test_a_file_is_a_plan_and_flags_stand_above_it(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "scenario: chat\nplayers: 40\nramp_s: 3\nsettings: {room_size: 20, rate: 1}\n"
        "profile: {shape: spike, period_s: 5}\nthresholds: ['lost==0']\n"
    )

    flags = ["--players", "60", "--rate", "2", "--base", "0.5", "--threshold", "deliver_p99<20ms"]
    plan = parse(["--file", str(tmp_path / "run.yaml"), *flags]).plan

    assert (plan.scenario, plan.players, plan.ramp_s) == ("chat", 60, 3)
    # All of them are told, also those that nobody named.
    assert plan.settings == {"room_size": 20, "rate": 2.0, "payload_bytes": 48, "keep": False}
    assert (plan.profile.shape, plan.profile.period_s, plan.profile.base) == ("spike", 5, 0.5)
    assert plan.thresholds == ["lost==0", "deliver_p99<20ms"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--players", "0"], "players"),
        (["--rate", "0"], "rate"),
        (["--rate", "nan"], "rate"),
        (["--duration", "-1"], "durations"),
        (["--ramp", "-1"], "durations"),
        (["--url", "ws://127.0.0.1"], "url"),
        (["--scenario", "chaos"], "chaos"),
        (["--scenario", "nowhere.py"], "nowhere.py"),
        (["--set", "colour=red"], "colour"),
        (["--match-size", "0"], "match_size"),
        (["--threshold", "deliver_p99"], "deliver_p99"),
        (["--allow", "everything"], "everything"),
        (["--workers", "0"], "worker"),
        (["--limit", "lag=3"], "the plan's limits has no 'lag'; it has lag_p99_ms, lag_max_ms"),
        (["--limit", "lag_p99_ms=nan"], "lag_p99_ms must be a number, not nan"),
        (["--limit", "cpu=inf"], "cpu must be a number, not inf"),
        (["--duration", "nan"], "duration_s must be a number"),
        (["--heartbeat", "inf"], "heartbeat_s must be a number"),
        (["--file", "nowhere.yaml"], "nowhere.yaml"),
        (["agent", "--listen", "7360"], "HOST:PORT"),
        (["--url", "http://ann:s3cret@game.test"], "url must be an address only"),
        (["--ops", "http://game.test/?key=s3cret"], "ops must be an address only"),
        (["--issuer", "https://ann:s3cret@issuer.test"], "issuer must be an address only"),
        (["--issuer", "issuer.test"], "issuer must be an http"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_starts(arguments: list[str], told: str) -> None:
    with pytest.raises(SwarmError, match=told):
        parse(arguments)


@pytest.mark.parametrize(
    "arguments",
    [["--players", "many"], ["--format", "xml"], ["--set", "rate"], ["surprise"], ["compare", "a"]],
)
def test_what_is_no_flag_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_search_goes_in_whole_groups() -> None:
    options = parse(["capacity", "--scenario", "relay", "--match-size", "8", "--threshold", "lost==0"])

    assert (options.command, options.step) == ("capacity", 8)


def test_the_secret_of_agents_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "s3cret")

    assert parse(["agent"]).plan.agent_secret == "s3cret"
    assert parse([]).plan.agent_secret == "s3cret"
