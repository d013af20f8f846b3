"""Reading the ids that clients send."""

import re

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# The forms that the reference's UUID parser takes: canonical, without hyphens, each in braces or as a URN.
_ANY = re.compile(
    r"(?:urn:uuid:)?(?P<brace>\{)?"
    r"([0-9a-f]{8})(?:-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-|([0-9a-f]{12}))([0-9a-f]{12})"
    r"(?(brace)\})",
    re.ASCII | re.IGNORECASE,
)


def parse_uuid(text: str) -> str | None:
    """The canonical lower-case text of a UUID, or None if `text` is none."""
    if _CANONICAL.fullmatch(text):
        return text
    found = _ANY.fullmatch(text)
    if found is None:
        return None
    digits = "".join(part for part in found.groups()[1:] if part).lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
