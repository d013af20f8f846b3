"""The ring alone: which key signs, which verifies, and what two rings agree on."""

import pytest

from server.identity.signing_ring import MAX_TOKEN, SigningRing
from server.identity.signingkeys import SigningKey

NEW, OLD = SigningKey("new", b"n" * 32), SigningKey("old", b"o" * 32)
CLAIMS = {"b": 1, "a": "ü"}


def test_each_key_signs_when_named_and_the_text_is_always_the_same() -> None:
    ring = SigningRing((NEW, OLD))

    texts = [ring.sign(CLAIMS, "old") for _ in range(2)]

    assert texts[0] == texts[1] == SigningRing((OLD,)).sign(CLAIMS, "old")
    assert ring.sign(CLAIMS, "new") != texts[0]
    assert ring.verify(texts[0]) == ring.verify(ring.sign(CLAIMS, "new")) == CLAIMS


def test_the_newest_stands_in_for_a_key_that_is_not_there() -> None:
    ring = SigningRing((NEW, OLD))

    assert [ring.present(kid) for kid in ("old", "new", "gone")] == ["old", "new", "new"]


def test_only_what_could_be_ours_lacks_its_key() -> None:
    ring = SigningRing((NEW,))
    stranger = SigningRing((OLD,)).sign(CLAIMS, "old")
    ours = ring.sign(CLAIMS, "new")

    assert ring.verify(stranger) is None
    assert ring.lacks_key_of(stranger)
    assert not ring.lacks_key_of(ours)
    assert not ring.lacks_key_of(ours[:-1])
    assert not ring.lacks_key_of("no token")
    assert not ring.lacks_key_of(f"a.b.{'c' * MAX_TOKEN}")


@pytest.mark.parametrize("spare", [0, 1])
def test_a_token_has_a_greatest_length(spare: int) -> None:
    ring = SigningRing((NEW,))
    empty = len(ring.sign({"a": ""}, "new"))
    text = ring.sign({"a": "x" * ((MAX_TOKEN - empty) * 3 // 4 + 8 * spare)}, "new")

    assert (len(text) > MAX_TOKEN) == bool(spare)
    assert (ring.verify(text) is None) == bool(spare)


def test_rings_share_the_headers_of_equal_keys_only() -> None:
    both, one = SigningRing((NEW, OLD)), SigningRing((SigningKey("new", b"x" * 32), OLD))

    shared = both.headers_shared_with(one)

    assert shared == one.headers_shared_with(both)
    assert shared == {both.sign(CLAIMS, "old").partition(".")[0]}
