"""Base64url in its one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identity import base64url


@given(st.binary(max_size=64))
def test_what_was_encoded_is_decoded(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text(alphabet="AQgwBZ_-+/=\n ", max_size=8))
def test_no_two_texts_mean_the_same_bytes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A+/A", "AA AA", "AAA\n", "é", "AAB"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        base64url.decode(text)
