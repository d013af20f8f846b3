"""Players and what they send, as game code sees them."""

import pytest

from server.runtime import Input, Player


def test_a_player_is_a_place_not_a_name() -> None:
    assert Player("u", "s1", "alice") == Player("u", "s1", "renamed", {"role": "host"})
    assert Player("u", "s1", "alice") != Player("u", "s2", "alice")
    assert len({Player("u", "s1", "alice"), Player("u", "s1", "renamed")}) == 1


def test_session_variables_are_not_printed() -> None:
    assert "secret" not in repr(Player("u", "s", "alice", {"role": "secret"}))


def test_data_is_read_as_json() -> None:
    assert Input(Player("u", "s", "alice"), 1, b'{"x": 1.5}').json() == {"x": 1.5}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"NaN", b"[" * 5000], ids=repr)
def test_whatever_else_a_player_sends_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        Input(Player("u", "s", "alice"), 1, data).json()
