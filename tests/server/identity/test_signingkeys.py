"""The rings and their document: what is read, and what is refused without telling a key."""

import json
from typing import Any

import pytest

from server.identity import base64url
from server.identity.signingkeys import MAX_KID, MAX_RING, SigningKey, SigningKeys, fresh_key
from server.ids import RandomIds

IDS = RandomIds("test")
A, B = bytes(range(32)), bytes(range(32, 64))


def entries(*secrets: bytes, **more: Any) -> list[dict[str, Any]]:
    return [
        {"kid": f"k{index}", "key": base64url.encode(secret), **more} for index, secret in enumerate(secrets)
    ]


def many(count: int, first: int = 0) -> list[dict[str, Any]]:
    return entries(*((first + index).to_bytes(32) for index in range(count)))


def parse(document: Any, *, production: bool = False) -> SigningKeys:
    text = document if isinstance(document, str) else json.dumps(document)
    return SigningKeys.parse(text.encode(), production=production)


def test_what_is_written_is_read_again() -> None:
    keys = SigningKeys.generate(IDS, now=1_800_000_000)

    assert SigningKeys.parse(keys.document(), production=True) == keys
    assert keys.session[0].created_at == keys.refresh[0].created_at == 1_800_000_000
    assert len({keys.session[0].secret, keys.refresh[0].secret, keys.match[0].secret}) == 3


def test_a_key_of_an_older_release_was_made_long_ago() -> None:
    keys = parse({"session": entries(A), "refresh": entries(B, created_at=7)})

    assert (keys.session[0].created_at, keys.refresh[0].created_at) == (0, 7)


def test_match_keys_follow_from_the_session_keys_alone() -> None:
    before = parse({"session": entries(A), "refresh": entries(B)})
    after = parse({"session": entries(A), "refresh": many(1, 100)})

    assert before.match == after.match
    assert before.match[0].kid == before.session[0].kid
    assert before.match[0].secret not in (A, B)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        '{"session": [], "session": [], "refresh": []}',
        {},
        {"session": entries(A)},
        {"session": entries(A), "refresh": []},
        {"session": entries(A), "refresh": {}},
        {"session": entries(A), "refresh": entries(A)},
        {"session": entries(A, A), "refresh": entries(B)},
        {"session": entries(A), "refresh": entries(b"short")},
        {"session": entries(A), "refresh": entries(B + b"x")},
        {"session": entries(A), "refresh": ["text"]},
        {"session": entries(A), "refresh": [{"kid": "", "key": base64url.encode(B)}]},
        {"session": entries(A), "refresh": [{"kid": "k" * (MAX_KID + 1), "key": base64url.encode(B)}]},
        {"session": entries(A), "refresh": [{"kid": "k\n", "key": base64url.encode(B)}]},
        {"session": entries(A), "refresh": [{"kid": 1, "key": base64url.encode(B)}]},
        {"session": entries(A), "refresh": [{"kid": "k"}]},
        {"session": entries(A), "refresh": [{"kid": "k", "key": "!"}]},
        {"session": entries(A), "refresh": [{"kid": "k", "key": base64url.encode(B) + "="}]},
        {
            "session": [entries(A)[0], {"kid": "k0", "key": base64url.encode(b"c" * 32)}],
            "refresh": entries(B),
        },
        {"session": entries(A, created_at=-1), "refresh": entries(B)},
        {"session": entries(A, created_at=1.5), "refresh": entries(B)},
        {"session": entries(A, created_at=True), "refresh": entries(B)},
        {"session": entries(A, created_at="1"), "refresh": entries(B)},
        {"session": entries(A, created_at=None), "refresh": entries(B)},
    ],
)
def test_what_is_not_two_rings_of_keys_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse(document)

    told = str(refused.value)
    assert base64url.encode(A) not in told
    assert base64url.encode(B) not in told


def test_a_key_in_the_place_of_its_id_is_not_told() -> None:
    swapped = [{"kid": base64url.encode(B), "key": "k1"}]

    with pytest.raises(ValueError, match="a kid is") as refused:
        parse({"session": entries(A), "refresh": swapped})

    assert base64url.encode(B) not in str(refused.value)


def test_a_ring_is_bounded() -> None:
    full = parse({"session": many(MAX_RING), "refresh": many(MAX_RING, 100)})

    assert (len(full.session), len(full.refresh), len(full.match)) == (MAX_RING, MAX_RING, MAX_RING)
    with pytest.raises(ValueError, match="refresh: over 8 keys"):
        parse({"session": many(1), "refresh": many(MAX_RING + 1, 100)})


@pytest.mark.parametrize("byte", [0, 97, 255])
def test_production_refuses_a_key_of_one_byte_over_and_over(byte: int) -> None:
    weak = {"session": entries(A), "refresh": entries(B, bytes([byte]) * 32)}

    assert len(parse(weak).refresh) == 2
    with pytest.raises(ValueError, match=r"refresh: key k1 .* production"):
        parse(weak, production=True)


def test_no_key_is_shown() -> None:
    keys = parse({"session": entries(A), "refresh": entries(B)})

    shown = f"{keys!r} {keys.session[0]} {keys.kids()}"

    assert "k0" in shown
    assert not any(text in shown for text in (base64url.encode(A), repr(A), repr(keys.match[0].secret)))


def test_a_fresh_key_has_an_id_that_the_ring_has_not() -> None:
    class Repeating(RandomIds):
        def __init__(self) -> None:
            super().__init__("test")
            self._next = iter(["11111111-x", "22222222-x", "33333333-x"])

        def uuid4(self) -> str:
            return next(self._next)

    ring = (SigningKey("11111111", A), SigningKey("22222222", B))

    assert fresh_key(ring, Repeating(), 5).kid == "33333333"
