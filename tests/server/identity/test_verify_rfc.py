"""The examples of RFC 7515, 7519, 7520 and 7797, and the threats of RFC 8725.

The examples carry no key id, are expired or hold no claims, so as whole tokens they are refused. To see that
their signatures verify all the same, they are given to `check` as parsed, which then stumbles over the times.
"""

import json
from typing import Any

import pytest

from server.identity import base64url
from server.identity.keyset import KeySet, KeySetUnusable
from server.identity.verify import RefusalReason, Refused, Unverified, check, parse
from tests.support.issuer import (
    ALICE,
    CLIENT,
    ISSUER,
    KID,
    SETTINGS,
    claims,
    ec_key,
    jwk,
    jwks,
    rsa_key,
    signed,
)

NOW = 1_300_819_000
BOTH = SETTINGS.model_copy(update={"algorithms": ("RS256", "ES256")})

JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
A2_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
    "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF"
    "kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
    "kid": "a2",
}
A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc"
    "_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMH"
    "lb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np"
    "6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "kid": "a3",
}
A3 = (
    f"eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
    "Kg6NU1Q"
)
A5 = f"eyJhbGciOiJub25lIn0.{JOE}."
HS256_OF_7519 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
BILBO_KEY = {
    "kty": "RSA",
    "kid": "bilbo.baggins@hobbiton.example",
    "use": "sig",
    "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMR"
    "BSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5l"
    "FHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__k"
    "RhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    "e": "AQAB",
}
BILBO = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNz"
    "LCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvd"
    "XIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQ"
    "IGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJ"
    "K3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xy"
    "IrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
)
OF_7797 = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
MAC_OF_7797 = "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"

KEYS = KeySet.load(jwks(A2_KEY, A3_KEY, BILBO_KEY, jwk(rsa_key()), jwk(ec_key(), "ec")))


def verify(token: str) -> str:
    parsed = parse(token, {ISSUER: BOTH, "joe": BOTH})
    return check(parsed, KEYS.get(parsed.kid), NOW).subject


def reason(token: str) -> RefusalReason:
    with pytest.raises(Refused) as refused:
        verify(token)
    return refused.value.reason


def signature_reason(token: str, algorithm: str, kid: str) -> RefusalReason:
    """Why `check` refuses the token when the parser's objections are left out."""
    signature = base64url.decode(token.rpartition(".")[2])
    parsed = Unverified(BOTH, algorithm, kid, token, signature, {"iss": "joe", "exp": 1_300_819_380})
    with pytest.raises(Refused) as refused:
        check(parsed, KEYS.get(kid), NOW)
    return refused.value.reason


@pytest.mark.parametrize(
    ("token", "algorithm", "kid"),
    [
        (A2, "RS256", "a2"),
        (A3, "ES256", "a3"),
        (BILBO, "RS256", "bilbo.baggins@hobbiton.example"),
    ],
    ids=["7515 A.2", "7515 A.3", "7520 4.1"],
)
def test_the_signature_of_an_example_verifies_and_of_a_changed_one_does_not(
    token: str, algorithm: str, kid: str
) -> None:
    header, payload, signature = token.split(".")
    changed = ("B" if payload[0] == "A" else "A") + payload[1:]

    assert signature_reason(token, algorithm, kid) is RefusalReason.TIMES
    assert signature_reason(f"{header}.{changed}.{signature}", algorithm, kid) is RefusalReason.SIGNATURE


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (A2, RefusalReason.HEADER),
        (A3, RefusalReason.HEADER),
        (A5, RefusalReason.SHAPE),
        (A5 + "AA", RefusalReason.HEADER),
        (HS256_OF_7519, RefusalReason.HEADER),
        (BILBO, RefusalReason.PAYLOAD),
        (f"{OF_7797}..{MAC_OF_7797}", RefusalReason.SHAPE),
        (f"{OF_7797}.$.02.{MAC_OF_7797}", RefusalReason.SHAPE),
        (f"{OF_7797}.JC4wMg.{MAC_OF_7797}", RefusalReason.HEADER),
    ],
    ids=["A.2", "A.3", "A.5 and 6.1", "A.5 with bytes", "3.1", "4.1", "detached", "unencoded", "encoded"],
)
def test_an_example_as_a_whole_is_no_identity_token(token: str, expected: RefusalReason) -> None:
    assert reason(token) is expected


def good(header: dict[str, Any] | None = None, **changed: Any) -> str:
    return signed({"kid": KID, "alg": "RS256"} | (header or {}), claims(NOW, **changed))


def unsigned(algorithm: str, signature: bytes = b"\0") -> str:
    header, payload, _ = good({"alg": algorithm}).split(".")
    return f"{header}.{payload}.{base64url.encode(signature)}"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param(unsigned("none"), RefusalReason.ALGORITHM, id="2.1 none"),
        pytest.param(unsigned("nOnE"), RefusalReason.ALGORITHM, id="2.1 none in other letters"),
        pytest.param(unsigned("HS256"), RefusalReason.ALGORITHM, id="2.1 RSA taken for HMAC"),
        pytest.param(unsigned("RS256"), RefusalReason.SIGNATURE, id="2.1 not validated"),
        pytest.param(unsigned("HS256", b"secret" * 5), RefusalReason.ALGORITHM, id="2.2 weak symmetric key"),
        pytest.param(good({"enc": "A256GCM"}), RefusalReason.HEADER, id="2.3 encryption"),
        pytest.param(good({"cty": "JWT"}), RefusalReason.HEADER, id="2.3 nested"),
        pytest.param(good({"zip": "DEF"}), RefusalReason.HEADER, id="2.4 and 3.6 compression"),
        pytest.param(
            signed({"kid": KID, "alg": "RS256"}, json.dumps(claims(NOW)).encode("utf-16")),
            RefusalReason.PAYLOAD,
            id="2.6 and 3.7 other encodings",
        ),
        pytest.param(good(client_id="another-client"), RefusalReason.CLIENT, id="2.7 and 3.9 substitution"),
        pytest.param(good(iss="https://other.example"), RefusalReason.ISSUER, id="2.7 and 3.8 other issuer"),
        pytest.param(good(token_use="id"), RefusalReason.TOKEN_USE, id="2.8 cross-JWT confusion"),
        pytest.param(good({"typ": "logout+jwt"}), RefusalReason.HEADER, id="2.8 and 3.11 other type"),
        pytest.param(good({"typ": "secevent+jwt"}), RefusalReason.HEADER, id="3.11 other type"),
        pytest.param(
            good({"kid": "' OR 1=1 --"}), RefusalReason.UNKNOWN_KEY, id="2.9 and 3.10 kid as a query"
        ),
        pytest.param(good({"kid": "../../dev/null"}), RefusalReason.UNKNOWN_KEY, id="3.10 kid as a path"),
        pytest.param(good({"kid": "ec"}), RefusalReason.KEY_ALGORITHM, id="3.1 key of another algorithm"),
        pytest.param(good(sub=CLIENT), RefusalReason.SUBJECT, id="3.8 subject that is no player"),
    ],
)
def test_a_threat_of_rfc_8725_is_met(token: str, expected: RefusalReason) -> None:
    assert reason(token) is expected


def test_a_pointer_to_a_key_is_not_followed_rfc_8725_2_9() -> None:
    """The key set is what the configuration says; were the pointer followed, the token would not verify."""
    token = good(
        {"jku": "http://169.254.169.254/", "x5u": "file:///etc/passwd", "jwk": jwk(rsa_key(number=1))}
    )

    assert verify(token) == ALICE


@pytest.mark.parametrize("changed", [{"y": A3_KEY["x"]}, {"x": base64url.encode(bytes(32))}, {"y": "AA"}])
def test_a_point_that_is_not_on_the_curve_is_no_key_rfc_8725_2_5(changed: dict[str, str]) -> None:
    with pytest.raises(KeySetUnusable):
        KeySet.load(jwks(A3_KEY | changed))
