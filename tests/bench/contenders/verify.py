"""python -m tests.bench.contenders.verify NAME: CPU microseconds to verify one RS256 identity token.

Tokens, keys and the length of the measurement arrive as JSON on standard input; the figure is printed.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jwt

from server.identity import verify
from server.identity.keyset import KeySet
from server.sections import IssuerSettings

WARM = 300


def lockgate(given: dict[str, Any]) -> Callable[[str], object]:
    """Every check of the bridge: strict forms, the signature, strictly typed claims."""
    settings = IssuerSettings(
        issuer=given["issuer"], jwks_url="https://keys.example/jwks.json", client_ids=(given["client"],)
    )
    issuers = {settings.issuer: settings}
    keys = KeySet.load(json.dumps(given["jwks"]).encode())

    def run(token: str) -> object:
        parsed = verify.parse(token, issuers)
        return verify.check(parsed, keys.get(parsed.kid), time.time())

    return run


def pyjwt(given: dict[str, Any]) -> Callable[[str], object]:
    """As its documentation shows it, with the two claims of Cognito that it does not check."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(given["jwks"]).keys}
    options: Any = {"verify_aud": False, "require": ["exp", "iat", "iss", "sub"]}

    def run(token: str) -> object:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=given["issuer"], options=options)
        if claims["client_id"] != given["client"] or claims["token_use"] != "access":
            raise ValueError("another client's token")
        return claims

    return run


def main() -> None:
    given = json.load(sys.stdin)
    run = {"lockgate": lockgate, "pyjwt": pyjwt}[sys.argv[1]](given)
    tokens: list[str] = given["tokens"]
    for number in range(WARM):
        run(tokens[number % len(tokens)])
    done = 0
    began = time.process_time()
    while time.process_time() - began < given["seconds"]:
        for token in tokens:
            run(token)
        done += len(tokens)
    sys.stdout.write(f"{(time.process_time() - began) / done * 1e6}\n")


if __name__ == "__main__":
    main()
