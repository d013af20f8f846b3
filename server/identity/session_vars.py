"""Session variables: which come from claims, which from the client, and how large they may be together.

A name that some issuer's configuration takes from a claim is reserved: no client can set it, whether or
not the token at hand carries the claim.
"""

import json
from collections.abc import Mapping, Sequence

from server.identity.failures import RequestInvalid
from server.identity.identity import Identity
from server.sections import IssuerSettings

MAX_BYTES = 2_048


class SessionVars:
    """The rules for variables, from the configured issuers."""

    def __init__(self, issuers: Sequence[IssuerSettings]) -> None:
        self._from_claims = {issuer.issuer: dict(issuer.claims_to_vars) for issuer in issuers}
        self._reserved = frozenset(name for taken in self._from_claims.values() for name in taken)

    def of_claims(self, identity: Identity) -> dict[str, str]:
        """The variables that this identity's claims make; an absent claim makes none."""
        return {
            name: _text(identity.claims[claim])
            for name, claim in self._from_claims[identity.issuer].items()
            if claim in identity.claims
        }

    def merged(self, client_vars: Mapping[str, str], claim_vars: Mapping[str, str]) -> dict[str, str]:
        """What goes into the tokens. Raises `RequestInvalid` when that is over 2 KiB of JSON."""
        free = {name: value for name, value in client_vars.items() if name not in self._reserved}
        merged = free | dict(claim_vars)
        if len(json.dumps(merged, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
            raise RequestInvalid(f"Session vars too large, must be at most {MAX_BYTES} bytes.")
        return merged


def _text(value: object) -> str:
    """A claim that is not text goes in as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
