"""What a message is: a class whose annotations say all there is to know of its wire form.

Every field has a default, since the wire knows no missing field, and carries its field number. A wrapper type
is `X | None`. JSON and protobuf are derived from the same annotations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

import msgspec


@dataclass(frozen=True, slots=True)
class Field:
    """A field's number, and the name of the oneof that it belongs to."""

    number: int
    oneof: str = ""


@dataclass(frozen=True, slots=True)
class Integer:
    """The width of an integer. 64-bit ones are text in JSON, since JavaScript has no such numbers."""

    bits: int


Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1), Integer(32)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1), Integer(64)]


@dataclass(frozen=True, slots=True)
class Member:
    """A place in the envelope: wire name and field number."""

    name: str
    number: int


class Message(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """Base of all messages. Immutable, compared by value; cannot be part of a reference cycle."""

    from_client: ClassVar[Member | None] = None
    """Its place in what clients send."""
    from_server: ClassVar[Member | None] = None
    """Its place in what servers send."""


M = TypeVar("M", bound=Message)


def incoming(name: str, number: int) -> Callable[[type[M]], type[M]]:
    """Clients may send this message, under `name` and `number` in the envelope."""

    def mark(message: type[M]) -> type[M]:
        message.from_client = Member(name, number)
        return message

    return mark


def outgoing(name: str, number: int) -> Callable[[type[M]], type[M]]:
    """Servers may send this message, under `name` and `number` in the envelope."""

    def mark(message: type[M]) -> type[M]:
        message.from_server = Member(name, number)
        return message

    return mark
