"""Where a picture may be drawn, and where lines are written."""

import io

import pytest

from loadtest.faces.watcher import is_screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_picture() -> None:
    assert is_screen(Terminal(), {"TERM": "xterm-256color"})
    assert is_screen(Terminal(), {"CI": "false", "NO_COLOR": ""})


def test_a_file_gets_lines() -> None:
    assert not is_screen(io.StringIO(), {"TERM": "xterm-256color"})


@pytest.mark.parametrize(
    ("name", "value"), [("CI", "true"), ("CI", "1"), ("NO_COLOR", "1"), ("TERM", "dumb")]
)
def test_whoever_wants_no_picture_gets_lines(name: str, value: str) -> None:
    assert not is_screen(Terminal(), {"TERM": "xterm", name: value})
