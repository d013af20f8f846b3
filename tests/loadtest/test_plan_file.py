"""Of a plan's file nothing is overlooked, and a mistake is told by its place alone."""

from pathlib import Path

import pytest

from loadtest import plan_file
from loadtest.failures import SwarmError
from loadtest.options import parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def test_names_come_with_their_values(file: Path) -> None:
    file.write_text("scenario: chat\nsettings: {rate: 1}\nthresholds: ['lost==0']\n")

    assert plan_file.read(file) == {"scenario": "chat", "settings": {"rate": 1}, "thresholds": ["lost==0"]}


def test_an_empty_file_asks_for_nothing(file: Path) -> None:
    file.write_text("# nothing yet\n")

    assert plan_file.read(file) == {}


def test_what_is_shared_by_reference_is_read(file: Path) -> None:
    file.write_text("settings: &base {rate: 1, size: 2}\nprofile: {<<: *base, rate: 3}\n")

    assert plan_file.read(file)["profile"] == {"rate": 3, "size": 2}


@pytest.mark.parametrize("text", ["- a\n", "7\n", "1: 2\n"])
def test_what_has_no_names_is_refused(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(SwarmError, match="must hold names and their values"):
        plan_file.read(file)


def test_a_member_that_has_no_names_is_refused(file: Path) -> None:
    file.write_text("settings: 3\n")

    with pytest.raises(SwarmError, match="settings must hold names and their values"):
        parse(["--file", str(file)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("players: 3\nserver_key: [s3cret\n", "is no YAML, line 3, column 1: ParserError"),
        ("players: 3\n\tserver_key: s3cret\n", "is no YAML, line 2, column 1: ScannerError"),
        ("server_key: !s3cret x\n", "is no YAML, line 1, column 13: ConstructorError"),
        ("\x00", "is no YAML: ReaderError"),
    ],
)
def test_what_is_no_yaml_is_told_by_its_place_and_not_quoted(file: Path, text: str, told: str) -> None:
    file.write_text(text)

    with pytest.raises(SwarmError) as raised:
        plan_file.read(file)

    assert str(raised.value) == f"{file} {told}"


def test_what_is_no_utf_8_is_told(file: Path) -> None:
    file.write_bytes(b"scenario: r\xe9lay\n")

    with pytest.raises(SwarmError, match="is no YAML: it is not written in UTF-8"):
        plan_file.read(file)


@pytest.mark.parametrize(
    "text", ["thresholds: ['lost==0']\nthresholds: []\n", "settings: {rate: 1,\n  rate: 2}\n"]
)
def test_a_name_that_stands_twice_does_not_take_the_first_ones_place(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(SwarmError, match=r"line 2, column \d: a name that stands twice"):
        plan_file.read(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("duration: 3\n", "the plan has no 'duration'; did you mean 'duration_s'"),
        ("profile: {kind: spike}\n", "the plan's profile has no 'kind'; it has shape, base"),
        ("sign_in: {ways: dev}\n", "the plan's sign_in has no 'ways'; did you mean 'way'"),
    ],
)
def test_a_name_that_nobody_knows_is_told_with_those_that_are(file: Path, text: str, told: str) -> None:
    file.write_text(text)

    with pytest.raises(SwarmError, match=told):
        parse(["--file", str(file)])
