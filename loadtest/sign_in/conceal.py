"""What strangers write (a server, a user's own command) as it may be told: without secrets and in one line.

Two ways, as neither is enough: what they were given is known and goes, whole and in parts; and what looks
like a token goes, wherever they had it from.
"""

import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "..."
TOKEN: Final = re.compile(r"eyJ[\w.=-]{8,}|(?<![\w.+=~-])(?=[\w.+=~-]*\d)[\w.+=~-]{20,}")
"""A JWT from its `{"` on, or any long word with a digit."""
PART: Final = re.compile(r"[\s=:,;@&?\"']+")


def concealed(text: str, given: Iterable[str], limit: int, keep: str = "") -> str:
    """At most `limit` characters, without the words of `given` and without tokens; `keep` is no secret."""
    parts = {part for word in given for part in (word, *PART.split(word))} - {keep}
    for part in sorted(filter(_may_be_secret, parts), key=len, reverse=True):
        # As a whole word: a secret of three letters must not eat the words that hold it.
        text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", HIDDEN, text)
    return " ".join(TOKEN.sub(HIDDEN, text).split())[:limit]


def _may_be_secret(part: str) -> bool:
    return any(character.isalnum() for character in part)
