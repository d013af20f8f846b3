"""The reference server's rule for usernames, and ours for display names, which need not be unique."""

import re

from server.identity.failures import RequestInvalid

MAX_BYTES = 128
MAX_DISPLAY_BYTES = 255

_INVALID = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check(username: str) -> str:
    """The name if it may be used; plain spaces may. Raises `RequestInvalid` with the reference's text."""
    if _INVALID.search(username):
        raise RequestInvalid("Username invalid, no spaces or control characters allowed.")
    if not 1 <= len(username.encode()) <= MAX_BYTES:
        raise RequestInvalid("Username invalid, must be 1-128 bytes.")
    return username


def usable(claim: object) -> str | None:
    """A claim as a name, or None when it cannot be one: a login never fails for it."""
    if not isinstance(claim, str):
        return None
    try:
        return check(claim)
    except RequestInvalid:
        return None


def usable_display_name(claim: object) -> str:
    """A claim as a display name, or "" when it cannot be one: it is shown, so it is printable text."""
    if not isinstance(claim, str) or not claim.isprintable():
        return ""
    return claim if len(claim.encode()) <= MAX_DISPLAY_BYTES else ""
