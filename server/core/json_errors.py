"""What is wrong with a JSON text, in the words that clients of the reference know.

The reference answers with its JSON library's complaint, which names the character and what was read there.
Ours come from the standard library's parser; where it complains of more than one place, the first is told.
"""

from json import JSONDecodeError

ENDED = "unexpected end of JSON input"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_HEX = frozenset("0123456789abcdefABCDEF")


def complaint(error: JSONDecodeError) -> str:
    """The words for a text that the standard library's strict parser refused."""
    text, at = error.doc, error.pos
    said = error.msg
    if said.startswith("Unterminated string") or at >= len(text):
        return ENDED
    if said.startswith("Invalid \\escape"):
        return odd(text, at + 1, "in string escape code")
    if said.startswith("Invalid \\u"):
        begin = text.rfind("\\u", 0, at + 2) + 2  # Pythons differ in where they point
        digits = next((place for place in range(begin, len(text)) if text[place] not in _HEX), len(text))
        return odd(text, digits, "in \\u hexadecimal character escape")
    if said.startswith("Invalid control character"):
        return odd(text, at, "in string literal")
    if said.startswith("Extra data"):
        return odd(text, at, "after top-level value")
    if said.startswith("Expecting property name"):
        return odd(text, _past_blanks(text, at), "looking for beginning of object key string")
    if said.startswith("Expecting ':'"):
        return odd(text, at, "after object key")
    if said.startswith("Expecting ','"):
        return odd(text, at, "after array element" if _in_array(text[:at]) else "after object key:value pair")
    return _no_value(text, at)


def odd(text: str, at: int, where: str) -> str:
    """There is a character at `at` that does not belong `where` it stands."""
    if at >= len(text):
        return ENDED
    return f"invalid character {_quoted(text[at])} {where}"


def _no_value(text: str, at: int) -> str:
    begins = text[at]
    if begins == "-":
        return odd(text, at + 1, "in numeric literal")
    literal = _LITERALS.get(begins, "")
    for offset, wanted in enumerate(literal[1:], 1):
        if text[at + offset : at + offset + 1] != wanted:
            return odd(text, at + offset, f"in literal {literal} (expecting '{wanted}')")
    return odd(text, at, "looking for beginning of value")


def _quoted(character: str) -> str:
    # The reference reads bytes: of a longer character it shows the first one, as if it were Latin-1.
    shown = chr(character.encode("utf-8", "surrogatepass")[0])
    if shown == "'":
        return "'\\''"
    if shown == '"':
        return "'\"'"
    if shown in "\a\b\f\n\r\t\v\\":
        return "'" + {"\a": "\\a", "\b": "\\b", "\v": "\\v"}.get(shown, repr(shown)[1:-1]) + "'"
    return f"'{shown}'" if shown.isprintable() else f"'\\x{ord(shown):02x}'"


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _in_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of `text` is an array's."""
    opened: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            in_string = True
        elif character in "[{":
            opened.append(character)
        elif character in "]}" and opened:
            opened.pop()
    return opened[-1:] == ["["]
