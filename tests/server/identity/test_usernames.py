"""The rule for names."""

import pytest

from server.identity import usernames
from server.identity.failures import RequestInvalid


@pytest.mark.parametrize("name", ["a", "a b", "ünï☃", "x" * 128, "ü" * 64])
def test_a_name_has_up_to_128_bytes_and_may_have_spaces(name: str) -> None:
    assert usernames.check(name) == usernames.usable(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"Username invalid, must be 1-128 bytes\."),
        ("x" * 129, r"Username invalid, must be 1-128 bytes\."),
        ("ü" * 65, r"Username invalid, must be 1-128 bytes\."),
        *((f"a{bad}b", r"Username invalid, no spaces or control") for bad in "\t\n\r\f\v\0\x7f\x85"),
    ],
)
def test_any_other_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(RequestInvalid, match=message):
        usernames.check(name)
    assert usernames.usable(name) is None


@pytest.mark.parametrize("claim", [None, 7, True, ["alice"], {"a": 1}])
def test_a_claim_that_is_no_text_is_no_name(claim: object) -> None:
    assert usernames.usable(claim) is None


@pytest.mark.parametrize("name", ["a", "Ada Lovelace", "ünï☃", "x" * 255, "ü" * 127])
def test_a_display_name_has_up_to_255_bytes(name: str) -> None:
    assert usernames.usable_display_name(name) == name


@pytest.mark.parametrize("claim", ["", "x" * 256, "ü" * 128, "a\nb", "a\u202eb", None, 7, True, ["a"]])
def test_what_cannot_be_shown_is_no_display_name(claim: object) -> None:
    assert usernames.usable_display_name(claim) == ""
