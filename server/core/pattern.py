"""Regular expressions and wildcards over short texts, matched in time linear in the text.

An expression becomes an automaton of positions (Glushkov's construction) and is run as sets of positions, so
no expression, however written, makes it backtrack. Sets that were met are remembered up to a limit, and
expression and text are bounded too. A match is always of the whole text. How expressions are written is
`expression.py`'s business.
"""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_POSITIONS = 256
"""Characters, dots and classes of an expression, counted repetitions written out."""
MAX_NESTING = 16
MAX_REPEAT = 1000
MAX_TEXT = 256
"""Characters. A longer text matches no pattern."""
MAX_EMITTED = 4 * MAX_POSITIONS
MAX_REMEMBERED = 1024
"""Steps from set to set that an automaton keeps; then it forgets them all and begins anew."""


class PatternError(ValueError):
    """No expression of ours, or one over the limits."""


@dataclass(frozen=True, slots=True)
class Chars:
    """A set of characters."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    fold: bool = False

    def __contains__(self, char: str) -> bool:
        return self._has(char) != self.negated

    def _has(self, char: str) -> bool:
        tried = {char, char.lower(), char.upper()} if self.fold else (char,)
        return any(low <= each <= high for each in tried for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    part: "Node"
    least: int
    most: int | None


Node = Chars | Sequence | Choice | Repeat

ANY = Chars((), negated=True)
DOT = Chars((("\n", "\n"),), negated=True)
DIGITS = (("0", "9"),)
WORD = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
SPACE = (("\t", "\n"), ("\f", "\r"), (" ", " "))
CLASSES = {"d": DIGITS, "w": WORD, "s": SPACE}
CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class Automaton:
    """Matches texts. `work` counts what it took, in characters and positions looked at."""

    __slots__ = ("_accepting", "_first", "_follow", "_nullable", "_sets", "_steps", "work")

    def __init__(self, node: Node) -> None:
        built = _Builder()
        nullable, first, last = built.add(node)
        self._sets = built.sets
        self._follow = built.follow
        self._nullable = nullable
        self._first = first
        self._accepting = last
        self._steps: dict[tuple[int, str], int] = {}
        self.work = 0

    def matches(self, text: str) -> bool:
        """Whether the whole text is matched."""
        if len(text) > MAX_TEXT:
            return False
        if not text:
            return self._nullable
        self.work += len(text)
        # Bit 0 stands for the beginning, bit n + 1 for "position n has just been matched".
        at, steps = 1, self._steps
        for char in text:
            after = steps.get((at, char))
            if after is None:
                after = self._step(at, char)
            if not after:
                return False
            at = after
        return bool(at >> 1 & self._accepting)

    def _step(self, at: int, char: str) -> int:
        reachable = self._first if at == 1 else 0
        for position in _bits(at >> 1):
            reachable |= self._follow[position]
        after = 0
        for position in _bits(reachable):
            if char in self._sets[position]:
                after |= 1 << position
        self.work += at.bit_count() + reachable.bit_count()
        if len(self._steps) >= MAX_REMEMBERED:
            self._steps.clear()
        self._steps[at, char] = after << 1
        return after << 1


class _Builder:
    """Numbers the positions of an expression and finds which may follow which, as bit sets."""

    def __init__(self) -> None:
        self.sets: list[Chars] = []
        self.follow: list[int] = []
        self._emitted = 0

    def add(self, node: Node) -> tuple[bool, int, int]:
        """Whether a part may be empty, and the positions it can begin and end with."""
        self._emitted += 1
        if self._emitted > MAX_EMITTED or len(self.sets) >= MAX_POSITIONS:
            raise PatternError("the expression is too large")
        match node:
            case Chars():
                self.sets.append(node)
                self.follow.append(0)
                bit = 1 << len(self.sets) - 1
                return False, bit, bit
            case Sequence(parts):
                return self._chain(iter(parts))
            case Choice(parts):
                nullable, first, last = False, 0, 0
                for part in parts:
                    may_be_empty, begins, ends = self.add(part)
                    nullable, first, last = nullable or may_be_empty, first | begins, last | ends
                return nullable, first, last
            case Repeat():
                return self._chain(_written_out(node)) if node.most != 1 or node.least else self._maybe(node)

    def loop(self, node: Node) -> tuple[bool, int, int]:
        _, first, last = self.add(node)
        self._link(last, first)
        return True, first, last

    def _maybe(self, node: Repeat) -> tuple[bool, int, int]:
        _, first, last = self.add(node.part)
        return True, first, last

    def _chain(self, parts: "Iterator[Node]") -> tuple[bool, int, int]:
        nullable, first, last = True, 0, 0
        for part in parts:
            endless = isinstance(part, Repeat) and part.most is None and not part.least
            may_be_empty, begins, ends = (
                self.loop(part.part) if endless and isinstance(part, Repeat) else self.add(part)
            )
            self._link(last, begins)
            first = first | begins if nullable else first
            last = last | ends if may_be_empty else ends
            nullable = nullable and may_be_empty
        return nullable, first, last

    def _link(self, sources: int, targets: int) -> None:
        for position in _bits(sources):
            self.follow[position] |= targets


def _written_out(node: Repeat) -> Iterator[Node]:
    """x{2,4} as x x x? x?, and x{2,} as x x x*."""
    for _ in range(node.least):
        yield node.part
    if node.most is None:
        yield Repeat(node.part, 0, None)
    else:
        for _ in range(node.most - node.least):
            yield Repeat(node.part, 0, 1)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def literal(text: str, *, fold: bool = False) -> Sequence:
    return Sequence(tuple(Chars(((char, char),), fold=fold) for char in text))


def wildcard(text: str, plain: str) -> Automaton:
    """`*` is any text and `?` any character where `plain` has them too. Raises PatternError."""
    parts: list[Node] = []
    for char, mark in zip(text, plain, strict=True):
        if mark == "*":
            parts.append(Repeat(ANY, 0, None))
        else:
            parts.append(ANY if mark == "?" else Chars(((char, char),)))
    return Automaton(Sequence(tuple(parts)))
