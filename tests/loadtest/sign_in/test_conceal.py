"""What strangers write is told without secrets."""

import pytest

from loadtest.sign_in.conceal import concealed


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("no user s3cret here", ["--password=s3cret"]),
        ("no user s3cret here", ["Authorization: Bearer s3cret"]),
        ("Access denied: 's3cret'", ["https://ann:s3cret@game.test/?key=x"]),
        ("s3cret", ["s3cret"]),
        ("token eyJs3cretQQ.QQ.QQ is over", []),
        ("session AQoDYXdzEJr1s3cretK1234567 is over", []),
        ("s3cret token", ["s3cret token"]),
    ],
)
def test_what_was_given_and_what_looks_like_a_token_is_hidden(text: str, given: list[str]) -> None:
    assert "s3cret" not in concealed(text, given, 200)


def test_a_short_secret_eats_no_words() -> None:
    assert concealed("a cat sat, at last", ["at"], 200) == "a cat sat, ... last"


def test_the_players_name_and_what_people_say_are_kept() -> None:
    told = "user ann-1: ConditionalCheckFailedException in json.decoder.JSONDecodeError"

    assert concealed(told, ["--user", "ann-1"], 200, keep="ann-1") == told


def test_it_is_one_line_of_limited_length() -> None:
    assert concealed("one\n\ttwo " + "x" * 500, [], 20) == "one two " + "x" * 12
