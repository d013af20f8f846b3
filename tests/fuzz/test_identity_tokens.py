"""Spoiled identity tokens, against a second reading of the rules: same answer, and no other exception.

One round in `make test`; `make fuzz` goes on for LOCKGATE_FUZZ_S seconds.
"""

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from server.clock import SystemClock
from server.identity.keyset import KeySet
from server.identity.verify import RefusalReason, Refused, check, parse
from server.sections import IssuerSettings
from tests.fuzz.token_mutations import EC_KID, NOW, OTHER_ISSUER, OTHER_KID, RSA_KID, spoiled_tokens
from tests.fuzz.token_oracle import subject_of
from tests.support.issuer import SETTINGS, PrivateKey, ec_key, jwk, jwks, rsa_key

FUZZ_S = float(os.environ.get("LOCKGATE_FUZZ_S", "0"))
ROUND = 600

BOTH = SETTINGS.model_copy(update={"algorithms": ("RS256", "ES256")})
ISSUERS: dict[str, IssuerSettings] = {
    BOTH.issuer: BOTH,
    OTHER_ISSUER: SETTINGS.model_copy(update={"issuer": OTHER_ISSUER}),
}
PRIVATE: dict[str, PrivateKey] = {RSA_KID: rsa_key(), EC_KID: ec_key(), OTHER_KID: rsa_key(number=2)}
KEYS = KeySet.load(jwks(*(jwk(key, kid) for kid, key in PRIVATE.items())))
PUBLIC = {kid: key.public_key() for kid, key in PRIVATE.items()}

COMMON = (RefusalReason.SHAPE, RefusalReason.HEADER, RefusalReason.PAYLOAD, RefusalReason.SIGNATURE)
Ends = Counter[RefusalReason | None]


def verified(token: str, ends: Ends) -> tuple[str, str] | None:
    """What the verifier says; anything but `Refused` leaves, and is a fault."""
    try:
        parsed = parse(token, ISSUERS)
        identity = check(parsed, KEYS.get(parsed.kid), NOW)
    except Refused as refused:
        ends[refused.reason] += 1
        return None
    ends[None] += 1
    return identity.issuer, identity.subject


def attack(ends: Ends) -> None:
    """One round. Nothing is replayed from a round before, and a failure is made simple before it is told."""

    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(token=spoiled_tokens())
    def spoil(token: str) -> None:
        assert verified(token, ends) == subject_of(token, PUBLIC, ISSUERS, NOW)

    spoil()


def test_a_spoiled_token_is_accepted_only_if_the_rules_say_so() -> None:
    clock, ends = SystemClock(), Ends()
    until, rounds = clock.monotonic() + FUZZ_S, 0

    while rounds == 0 or clock.monotonic() < until:
        attack(ends)
        rounds += 1

    told = {"accepted" if end is None else end.value: count for end, count in ends.most_common()}
    print(f"{ends.total()} tokens in {rounds} rounds: {told}")  # noqa: T201  # shown by make fuzz
    # A test that refuses everything, or for few reasons, would show nothing.
    assert {None, *COMMON} <= set(ends)
