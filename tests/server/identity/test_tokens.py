"""Our own tokens: their form, and every way in which one does not pass."""

import json
from dataclasses import replace
from typing import Any

import jwt
import pytest

from server.identity import base64url
from server.identity.revocation import Revocations
from server.identity.signingkeys import SigningKey, SigningKeys
from server.identity.tokens import Pair, SessionClaims, Subject, Tokens
from server.ids import RandomIds
from server.storage.families import Terms
from server.storage.revocations import Ended, Revoked
from tests.support.clock import ManualClock
from tests.support.issuer import ALICE
from tests.support.site import LIFETIMES

FAMILY = "0e0e0e0e-0000-4000-8000-000000000001"
KEYS = SigningKeys.generate(RandomIds("test"))


class Mint:
    """Tokens with a clock and a deny list at hand."""

    def __init__(self, keys: SigningKeys = KEYS, cache_size: int = 8) -> None:
        self.clock = ManualClock()
        self.revocations = Revocations(self.clock)
        self.tokens = Tokens(keys, LIFETIMES, self.revocations, self.clock, cache_size=cache_size)

    def subject(self, family: str = FAMILY, **session_vars: str) -> Subject:
        now = int(self.clock.wall())
        return Subject(ALICE, "alice", family, session_vars, now)

    def pair(self, family: str = FAMILY, **session_vars: str) -> Pair:
        return self.tokens.mint(self.subject(family, **session_vars), self.terms())

    def terms(self) -> Terms:
        now = int(self.clock.wall())
        return self.tokens.terms(now, self.tokens.absolute_exp(now))


def parts(token: str) -> tuple[str, dict[str, Any]]:
    header, payload, _ = token.split(".")
    return base64url.decode(header).decode(), json.loads(base64url.decode(payload))


def forge(claims: dict[str, Any], key: SigningKey) -> str:
    return jwt.encode(claims, key.secret, headers={"kid": key.kid})


def hs512(claims: dict[str, Any], key: SigningKey) -> str:
    header = {"alg": "HS512", "typ": "JWT", "kid": key.kid}
    signing_input = ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    mac = jwt.get_algorithm_by_name("HS512").sign(signing_input.encode(), key.secret)
    return f"{signing_input}.{base64url.encode(mac)}"


def test_the_claims_come_in_the_order_that_sdks_know() -> None:
    mint = Mint()
    pair = mint.pair(b="2", a="ü")
    now = int(mint.clock.wall())

    header, session = parts(pair.token)
    _, refresh = parts(pair.refresh_token)
    assert header == f'{{"alg":"HS256","typ":"JWT","kid":"{KEYS.session[0].kid}"}}'
    assert list(session) == ["tid", "uid", "usn", "vrs", "exp", "iat", "iss", "use"]
    assert list(refresh) == ["tid", "uid", "usn", "vrs", "exp", "iat", "iss", "use", "gen"]
    assert (session["tid"], session["uid"], session["usn"]) == (FAMILY, ALICE, "alice")
    assert list(session["vrs"].items()) == [("a", "ü"), ("b", "2")]
    assert (session["exp"], session["iat"], session["use"]) == (now + 7200, now, "session")
    assert (refresh["exp"], refresh["iat"], refresh["use"]) == (now + 14 * 86400, now, "refresh")
    assert (refresh["gen"], refresh["iss"], session["iss"]) == (0, "lockgate", "lockgate")


def test_empty_vars_are_left_out() -> None:
    assert "vrs" not in parts(Mint().pair().token)[1]


def test_any_jwt_library_verifies_a_token_with_its_key() -> None:
    pair = Mint().pair()

    for token, key in ((pair.token, KEYS.session[0]), (pair.refresh_token, KEYS.refresh[0])):
        assert jwt.decode(
            token, key.secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}
        )


def test_a_session_token_is_checked_with_and_without_the_cache() -> None:
    mint, fresh = Mint(), Mint()
    pair = mint.pair(a="b")

    expected = SessionClaims(
        ALICE, "alice", FAMILY, {"a": "b"}, int(mint.clock.wall()), int(mint.clock.wall()) + 7200
    )
    assert mint.tokens.check_session(pair.token) == expected
    assert fresh.tokens.check_session(pair.token) == expected
    assert fresh.tokens.check_session(pair.token) == expected


@pytest.mark.parametrize("cached", [True, False])
def test_a_session_token_ends_on_its_second(cached: bool) -> None:
    mint, other = Mint(), Mint()
    token = mint.pair().token
    checker = mint if cached else other

    checker.clock.advance(7199.999)
    before = checker.tokens.check_session(token)
    checker.clock.advance(0.001)

    assert before is not None
    assert checker.tokens.check_session(token) is None


@pytest.mark.parametrize("cached", [True, False])
def test_a_revoked_family_passes_nowhere(cached: bool) -> None:
    mint, other = Mint(), Mint()
    pair = mint.pair()
    beside = mint.pair("another")
    checker = mint if cached else other
    checker.revocations.add([Revoked(FAMILY, pair.terms.session_exp, Ended.LOGOUT)])

    assert checker.tokens.check_session(pair.token) is None
    assert checker.tokens.check_refresh(pair.refresh_token) is None
    assert checker.tokens.check_session(beside.token) is not None


def test_claims_that_were_verified_are_asked_again_for_time_and_revocation() -> None:
    mint = Mint()
    pair, beside = mint.pair(), mint.pair("another")
    claims, others = mint.tokens.check_session(pair.token), mint.tokens.check_session(beside.token)
    assert claims is not None
    assert others is not None

    mint.revocations.add([Revoked(FAMILY, pair.terms.session_exp, Ended.LOGOUT)])
    revoked = mint.tokens.still_good(claims), mint.tokens.still_good(others)
    mint.clock.advance(7200)

    assert revoked == (False, True)
    assert not mint.tokens.still_good(others)


def test_no_token_passes_as_one_of_another_use() -> None:
    mint = Mint()
    pair, match = mint.pair(), mint.tokens.mint_match_token("m.")

    assert mint.tokens.check_session(pair.refresh_token) is None
    assert mint.tokens.check_session(match) is None
    assert mint.tokens.check_refresh(pair.token) is None
    assert mint.tokens.check_refresh(match) is None
    assert mint.tokens.match_id(pair.token) is None
    assert mint.tokens.match_id(pair.refresh_token) is None


@pytest.mark.parametrize("changed", [{"use": "refresh"}, {"use": None}, {"iss": "other"}, {"iss": None}])
def test_use_and_issuer_are_checked_also_under_the_right_key(changed: dict[str, Any]) -> None:
    mint = Mint()
    header, payload, _ = mint.pair().token.split(".")
    claims = json.loads(base64url.decode(payload)) | changed
    body = base64url.encode(json.dumps(claims).encode())
    signing_input = f"{header}.{body}".encode()
    mac = jwt.get_algorithm_by_name("HS256").sign(signing_input, KEYS.session[0].secret)

    assert mint.tokens.check_session(f"{header}.{body}.{base64url.encode(mac)}") is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "garbage",
        "é" * 30,
        "\ud800",
        "x" * 100_000,
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.",
    ],
)
def test_garbage_is_no_token(token: str) -> None:
    mint = Mint()

    assert mint.tokens.check_session(token) is None
    assert mint.tokens.check_refresh(token) is None
    assert mint.tokens.match_id(token) is None


def test_a_changed_token_does_not_pass() -> None:
    mint = Mint()
    pair = mint.pair()
    header, payload, signature = pair.token.split(".")
    claims = json.loads(base64url.decode(payload))
    other = base64url.encode(json.dumps(claims | {"uid": "eve"}).encode())
    none = base64url.encode(b'{"alg":"none","typ":"JWT"}')

    for changed in (
        f"{header}.{other}.{signature}",
        f"{none}.{payload}.",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}=",
        f"{header}.{payload}.{signature} ",
        f"{header}.{payload}.{signature}.",
        forge(claims, KEYS.refresh[0]),
        hs512(claims, KEYS.session[0]),
        forge(claims, SigningKey(KEYS.session[0].kid, b"x" * 32)),
    ):
        assert mint.tokens.check_session(changed) is None


def test_an_older_key_still_verifies_and_the_newest_signs() -> None:
    old = Mint()
    rotated = Mint(rotated_keys())

    old_pair, match = old.pair(), old.tokens.mint_match_token("m.")

    assert rotated.tokens.check_session(old_pair.token) is not None
    assert rotated.tokens.check_refresh(old_pair.refresh_token) is not None
    assert rotated.tokens.match_id(match) == "m."
    assert old.tokens.check_session(rotated.pair().token) is None


def rotated_keys() -> SigningKeys:
    """A ring of each use whose older key is that of KEYS."""
    new = SigningKeys.generate(RandomIds("test"))
    return SigningKeys(new.session + KEYS.session, new.refresh + KEYS.refresh, new.match + KEYS.match)


def test_a_pair_is_made_again_to_the_byte_from_its_terms_after_a_rotation() -> None:
    mint = Mint()
    first = mint.pair(b="2", a="1")
    rotated = Mint(rotated_keys())
    rotated.clock.advance(20)
    subject = mint.subject(a="1", b="2")

    assert rotated.tokens.mint(subject, first.terms) == first
    assert rotated.tokens.check_session(first.token) is not None


def test_a_pair_tells_the_keys_and_the_ends_that_its_tokens_have() -> None:
    keys = rotated_keys()
    pair = Mint(keys).pair()

    for token, kid, exp in (
        (pair.token, pair.terms.session_kid, pair.terms.session_exp),
        (pair.refresh_token, pair.terms.refresh_kid, pair.terms.refresh_exp),
    ):
        header, claims = parts(token)
        assert (json.loads(header)["kid"], claims["exp"]) == (kid, exp)
    assert (pair.terms.session_kid, pair.terms.refresh_kid) == (keys.session[0].kid, keys.refresh[0].kid)


@pytest.mark.parametrize(
    ("session_gone", "refresh_gone"), [(True, False), (False, True), (True, True), (False, False)]
)
def test_the_newest_key_signs_in_place_of_one_that_has_gone(session_gone: bool, refresh_gone: bool) -> None:
    mint = Mint(rotated_keys())
    newest = mint.pair().terms
    older = Terms(KEYS.session[0].kid, KEYS.refresh[0].kid, 1_800_000_060, 1_800_000_070)
    asked = Terms(
        "gone" if session_gone else older.session_kid,
        "gone" if refresh_gone else older.refresh_kid,
        older.session_exp,
        older.refresh_exp,
    )

    pair = mint.tokens.mint(mint.subject(), asked)

    assert pair.terms.session_kid == (newest if session_gone else older).session_kid
    assert pair.terms.refresh_kid == (newest if refresh_gone else older).refresh_kid
    assert (pair.terms.session_exp, pair.terms.refresh_exp) == (older.session_exp, older.refresh_exp)
    assert mint.tokens.check_session(pair.token) is not None
    assert mint.tokens.check_refresh(pair.refresh_token) is not None


def test_another_generation_or_end_is_another_text() -> None:
    mint = Mint()
    subject = mint.subject()
    terms = mint.terms()

    first = mint.tokens.mint(subject, terms)

    assert mint.tokens.mint(replace(subject, gen=1), terms).token == first.token
    assert mint.tokens.mint(replace(subject, gen=1), terms).refresh_token != first.refresh_token
    assert mint.tokens.mint(subject, replace(terms, session_exp=terms.session_exp + 1)).token != first.token


def test_a_text_made_again_takes_no_second_place_in_the_cache() -> None:
    mint = Mint(cache_size=2)
    first, second = mint.pair("1"), mint.pair("2")

    mint.tokens.mint(mint.subject("2"), second.terms)

    assert list(mint.tokens._cache) == [first.token, second.token]


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    mint = Mint(cache_size=2)
    tokens = [mint.pair(str(index)).token for index in range(5)]

    assert list(mint.tokens._cache) == tokens[-2:]
    assert mint.tokens.check_session(tokens[0]) is not None
    assert list(mint.tokens._cache) == [tokens[-1], tokens[0]]


def test_what_failed_is_not_cached_and_what_expired_is_dropped() -> None:
    mint = Mint()
    token = mint.pair().token
    assert mint.tokens.check_session(token + "x") is None
    mint.clock.advance(7200)

    assert mint.tokens.check_session(token) is None
    assert mint.tokens._cache == {}


def test_no_token_outlives_its_login() -> None:
    mint = Mint()
    now = int(mint.clock.wall())
    subject = Subject(ALICE, "alice", FAMILY, {}, now - 100)

    pair = mint.tokens.mint(subject, mint.tokens.terms(now, now + 60))

    assert pair.terms.session_exp == parts(pair.token)[1]["exp"] == now + 60
    assert parts(pair.refresh_token)[1]["exp"] == now + 60


def test_a_match_token_lasts_thirty_seconds() -> None:
    mint = Mint()
    token = mint.tokens.mint_match_token("11111111-2222-4333-8444-555555555555.")

    mint.clock.advance(29)
    during = mint.tokens.match_id(token)
    mint.clock.advance(1)

    assert during == "11111111-2222-4333-8444-555555555555."
    assert mint.tokens.match_id(token) is None


def test_keys_are_changed_at_once_and_what_the_gone_ones_signed_is_refused() -> None:
    mint = Mint()
    pair, match = mint.pair(), mint.tokens.mint_match_token("m.")
    assert mint.tokens.check_session(pair.token) is not None

    mint.tokens.use_keys(SigningKeys.generate(RandomIds("test")))

    assert mint.tokens.check_session(pair.token) is None
    assert mint.tokens.check_refresh(pair.refresh_token) is None
    assert mint.tokens.match_id(match) is None
    assert mint.tokens.check_session(mint.pair().token) is not None


def test_a_rotation_changes_the_signing_key_and_keeps_what_was_seen() -> None:
    mint = Mint()
    pair, match = mint.pair(), mint.tokens.mint_match_token("m.")
    keys = rotated_keys()

    mint.tokens.use_keys(keys)

    assert list(mint.tokens._cache) == [pair.token]
    assert mint.tokens.check_session(pair.token) is not None
    assert mint.tokens.check_refresh(pair.refresh_token) is not None
    assert mint.tokens.match_id(match) == "m."
    terms = mint.pair().terms
    assert (terms.session_kid, terms.refresh_kid) == (keys.session[0].kid, keys.refresh[0].kid)


def test_a_token_seen_under_a_key_id_does_not_pass_once_the_id_means_another_key() -> None:
    mint = Mint()
    token = mint.pair().token
    kid = KEYS.session[0].kid
    other = SigningKeys.of((SigningKey(kid, bytes(range(32))),), KEYS.refresh)

    mint.tokens.use_keys(other)

    assert mint.tokens.check_session(token) is None


def test_tokens_of_keys_that_we_lack_are_told_and_no_others() -> None:
    mint, other = Mint(), Mint(SigningKeys.generate(RandomIds("test")))
    told: list[str] = []
    mint.tokens.on_unknown_key = lambda: told.append("asked")
    ours, theirs = mint.pair(), other.pair()

    for token in (ours.token, ours.token + "x", "garbage", "", "x" * 9_000):
        mint.tokens.check_session(token)
    assert told == []
    assert mint.tokens.check_session(theirs.token) is None
    assert mint.tokens.check_refresh(theirs.refresh_token) is None

    assert told == ["asked", "asked"]
