"""An own copy of a game's plain data, and what has changed in it since, as JSON merge patches (RFC 7396).

Game code changes its dicts in place, so nothing of theirs is kept: objects are copied, and lists, which a
merge patch can only replace whole, are held encoded. Knows nothing of players or messages.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from math import isfinite
from typing import Any

from msgspec import Raw

Encode = Callable[[Any], bytes]
Tree = dict[str, Any]
"""Plain data as it is held: str, int, float, bool, dicts of these with str keys, and Raw for a list."""

_NOTHING = object()
_SCALARS = frozenset({str, int, float, bool})
_PLAIN = _SCALARS | {dict, list}


class Unsendable(ValueError):
    """Data that a state cannot hold. The text names the place: `players.bob.items[3]`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def under(self, step: str) -> "Unsendable":
        """The same, seen from one level up."""
        self.path = step + ("." if self.path and self.path[0] != "[" else "") + self.path
        return self

    def __str__(self) -> str:
        return f"{self.path or 'state'}: {self.reason}"


class Mirror:
    """`encode` gives the bytes of a list, in the form in which the state will be sent."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self.held: Tree = {}
        """The data as of the last `follow`. Read it, never write it."""

    def follow(self, data: Mapping[str, Any]) -> Tree:
        """Take over what has changed. Returns the patch that leads there from what was held before.

        Raises Unsendable, and RecursionError for data that holds itself; some changes are taken over then,
        others not, and the next patch begins from there.
        """
        return self._follow(self.held, data)

    def _follow(self, held: Tree, data: Mapping[str, Any]) -> Tree:
        patch: Tree = {}
        for key, value in data.items():
            old = held.get(key, _NOTHING)
            if value is old:
                continue  # a scalar: no container of the game's is ever held
            try:
                kind = type(value)
                if kind is float and type(old) is float and isfinite(value):  # what changes most, first
                    if value != old or (value == 0 and repr(value) != repr(old)):  # -0.0 is not 0.0
                        held[key] = patch[key] = value
                    continue
                if kind not in _PLAIN:
                    value = _plain(value)
                if type(value) is dict and type(old) is dict:
                    below = self._follow(old, value)
                    if below:
                        patch[key] = below
                elif old is _NOTHING:
                    held[_key(key)] = patch[key] = self._own(value)
                elif not self._same(old, value):
                    held[key] = patch[key] = self._own(value)
            except Unsendable as error:
                raise error.under(str(key)) from None
        if len(held) != len(data):  # every key of `data` is held by now
            for key in [key for key in held if key not in data]:
                del held[key]
                patch[key] = None
        return patch

    def _same(self, old: Any, value: Any) -> bool:
        """Whether a client could not tell them apart: 1, 1.0 and True are three things. Floats: above."""
        if type(value) is list:
            return type(old) is Raw and bytes(old) == self._attempt(value)
        return type(value) is type(old) and bool(value == old)

    def _attempt(self, value: Any) -> bytes:
        """Encoded, or nothing if it cannot be: whoever then takes it over learns why."""
        try:
            return self._encode(value)
        except (TypeError, ValueError, OverflowError):
            return b""

    def _own(self, value: Any) -> Any:
        """A copy of plain data that shares nothing with it."""
        if type(value) is dict:
            copy: Tree = {}
            self._follow(copy, value)
            return copy
        _check(value)
        return Raw(self._encode(value)) if type(value) is list else value


def _plain(value: Any) -> Any:
    """What a value is sent as, one level deep."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    if type(value) in _SCALARS:
        return value
    if value is None:
        raise Unsendable("None cannot be sent, it would remove the key: delete the key instead")
    raise Unsendable(f"{type(value).__name__} is no plain data")


def _check(value: Any) -> None:
    """Raises Unsendable for what cannot stand in a list, or alone. In lists None is as good as any value."""
    kind = type(value)
    if kind is str:
        _text(value)
    elif kind is float:
        if not isfinite(value):
            raise Unsendable("a number must be finite")
    elif kind is int:
        if not -(2**63) <= value < 2**64:
            raise Unsendable("a number must fit in 64 bits")
    elif kind is list:
        for index, each in enumerate(value):
            try:
                _check(each)
            except Unsendable as error:
                raise error.under(f"[{index}]") from None
    elif kind is dict:
        for key, each in value.items():
            try:
                _key(key)
                _check(each)
            except Unsendable as error:
                raise error.under(str(key)) from None
    elif kind is not bool and value is not None:
        _check(_plain(value))


def _key(key: Any) -> str:
    """The key as text of exactly that type: members of a StrEnum are texts too."""
    if not isinstance(key, str):
        raise Unsendable(f"a key must be a str, not {type(key).__name__}")
    return _text(key if type(key) is str else str.__str__(key))


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unsendable("text must be Unicode without lone surrogates") from None
    return text
