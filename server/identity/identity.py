"""What a verified identity token says about its player."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A player as the identity provider knows them. (issuer, subject) is the only key to an account.

    `claims` are the verified claims that the configuration asks for: the name and those that become
    session variables; absent ones are not in it. `token_id` is the token's own name (`jti`), None if it has
    none, and `token_exp` the second after which it is refused in any case.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    token_id: str | None = None
    token_exp: int = 0
