"""Reads regular expressions, in RE2's syntax, into the nodes of `pattern.py`.

What makes no sense for whole texts (word boundaries, anchors within) and Unicode's classes are refused.
"""

from server.core.pattern import (
    CLASSES,
    CONTROLS,
    DOT,
    MAX_NESTING,
    MAX_REPEAT,
    Automaton,
    Chars,
    Choice,
    Node,
    PatternError,
    Repeat,
    Sequence,
)

Range = tuple[str, str]
HIGHEST = "\U0010ffff"
POSIX = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "digit": (("0", "9"),),
    "lower": (("a", "z"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\r"), (" ", " ")),
    "upper": (("A", "Z"),),
    "word": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}


def compile_expression(text: str) -> Automaton:
    """What matches the whole of the texts that the expression describes. Raises PatternError."""
    return Automaton(_Reader(text).read())


class _Reader:
    """One pass from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._fold = False
        self._depth = 0

    def read(self) -> Node:
        self._fold = self._take("(?i)")
        self._take("^")  # a match is of the whole text anyhow
        node = self._choice()
        if self._peek():
            raise PatternError("unexpected )")
        return node

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise PatternError("nested too deeply")
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self._at == len(self._text) - 1 and self._take("$"):
                break
            parts.append(self._repeated(self._atom()))
        return Sequence(tuple(parts))

    def _repeated(self, atom: Node) -> Node:
        found = self._repetition()
        if found is None:
            return atom
        self._take("?")  # whether lazily or not makes no difference to a whole match
        if self._repetition() is not None:
            raise PatternError("a repetition of a repetition")
        return Repeat(atom, *found)

    def _repetition(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                return bounds
        return self._counted()

    def _counted(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}` or `{2,4}`; a brace that begins none of them is an ordinary character."""
        if self._peek() != "{":
            return None
        end = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : end].partition(",")
        if end < 0 or not _is_count(least) or (most and not _is_count(most)):
            return None
        self._at = end + 1
        low = int(least)
        high = int(most) if most else None if comma else low
        if low > MAX_REPEAT or (high is not None and not low <= high <= MAX_REPEAT):
            raise PatternError("such a count is not offered")
        return low, high

    def _atom(self) -> Node:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return DOT
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise PatternError("nothing to repeat")
            case "^" | "$":
                raise PatternError("an anchor within the expression")
            case _:
                pass
        return Chars(((char, char),), fold=self._fold)

    def _group(self) -> Node:
        if self._take("?") and not self._take(":"):
            raise PatternError("such a group is not offered")
        node = self._choice()
        if not self._take(")"):
            raise PatternError("missing )")
        return node

    def _escape(self) -> Chars:
        char = self._next()
        if char.lower() in CLASSES:
            return Chars(CLASSES[char.lower()], negated=char.isupper())
        exact = self._escaped(char)
        return Chars(((exact, exact),), fold=self._fold)

    def _escaped(self, char: str) -> str:
        if char in CONTROLS:
            return CONTROLS[char]
        if char == "x":
            return self._hexadecimal()
        if not char or (char.isascii() and char.isalnum()):
            raise PatternError("such an escape is not offered")
        return char

    def _hexadecimal(self) -> str:
        if self._take("{"):
            end = self._text.find("}", self._at)
            digits = self._text[self._at : max(end, self._at)]
            self._at = end + 1
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
            digits = digits if len(digits) == 2 else ""
        if not 0 < len(digits) <= 6 or not all(each in "0123456789abcdefABCDEF" for each in digits):
            raise PatternError("no hexadecimal character")
        if int(digits, 16) > ord(HIGHEST):
            raise PatternError("no character")
        return chr(int(digits, 16))

    def _class(self) -> Chars:
        negated = self._take("^")
        ranges: list[Range] = []
        first = True
        while first or not self._take("]"):
            first = False
            ranges += self._class_part()
        return Chars(tuple(ranges), negated, self._fold)

    def _class_part(self) -> tuple[Range, ...]:
        if self._text.startswith("[:", self._at) and (end := self._text.find(":]", self._at)) > 0:
            name = self._text[self._at + 2 : end]
            if name not in POSIX:
                raise PatternError("no such class")
            self._at = end + 2
            return POSIX[name]
        low = self._class_char()
        if isinstance(low, tuple):
            return low
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return ((low, low),)
        self._at += 1
        high = self._class_char()
        if isinstance(high, tuple) or high < low:
            raise PatternError("no range")
        return ((low, high),)

    def _class_char(self) -> str | tuple[Range, ...]:
        char = self._next()
        if not char:
            raise PatternError("missing ]")
        if char != "\\":
            return char
        char = self._next()
        if char.lower() not in CLASSES or not char:
            return self._escaped(char)
        ranges = CLASSES[char.lower()]
        return _others(ranges) if char.isupper() else ranges

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _take(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _others(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """The characters that are in none of these ranges, which are in order."""
    found: list[Range] = []
    low = 0
    for first, last in ranges:
        if low < ord(first):
            found.append((chr(low), chr(ord(first) - 1)))
        low = ord(last) + 1
    return (*found, (chr(low), HIGHEST))
