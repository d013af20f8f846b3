"""Who may set which session variable, and how much of them."""

import pytest

from server.identity.failures import RequestInvalid
from server.identity.identity import Identity
from server.identity.session_vars import MAX_BYTES, SessionVars
from server.sections import IssuerSettings

ONE = IssuerSettings(issuer="one", client_ids=("c",), claims_to_vars={"role": "custom_role", "tier": "tier"})
TWO = IssuerSettings(issuer="two", client_ids=("c",), claims_to_vars={"rank": "rank"})
VARS = SessionVars([ONE, TWO])


def test_claims_become_vars_under_their_configured_names() -> None:
    identity = Identity("one", "alice", {"custom_role": "guest", "rank": "king"})

    assert VARS.of_claims(identity) == {"role": "guest"}


@pytest.mark.parametrize(
    ("claim", "text"),
    [("a", "a"), ("", ""), (7, "7"), (1.5, "1.5"), (True, "true"), (None, "null"), (["ä", 1], '["ä",1]')],
)
def test_a_claim_of_any_type_becomes_text(claim: object, text: str) -> None:
    assert VARS.of_claims(Identity("two", "alice", {"rank": claim})) == {"rank": text}


def test_a_name_that_any_issuer_reserves_is_no_clients() -> None:
    client = {"role": "admin", "rank": "king", "tier": "1", "region": "eu"}

    assert VARS.merged(client, {"tier": "2"}) == {"region": "eu", "tier": "2"}


@pytest.mark.parametrize("letter", ["x", "ü", "☃", '"', "\\", "\n", "😀"])
def test_the_limit_counts_encoded_bytes(letter: str) -> None:
    encoded = {'"': 2, "\\": 2, "\n": 2}.get(letter, len(letter.encode()))
    fits = (MAX_BYTES - len('{"k":""}')) // encoded

    assert VARS.merged({"k": letter * fits}, {})
    with pytest.raises(RequestInvalid):
        VARS.merged({"k": letter * (fits + 1)}, {})


def test_reserved_names_are_not_counted() -> None:
    assert VARS.merged({"role": "x" * 5000}, {}) == {}
