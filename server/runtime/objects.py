"""Stored objects, as values: small JSON objects with versions, each of one player or of the server.

Game code is handed them; what keeps them is the server's. An object is known by collection, key and owner.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

ANY_VERSION = ""
"""A change whatever is there."""
ONLY_NEW = "*"
"""A write only if there is no such object yet."""


class Readable(IntEnum):
    """Which clients may read an object. Game code may read any."""

    NOBODY = 0
    OWNER = 1
    EVERYBODY = 2


class Writable(IntEnum):
    """Which clients may change an object and delete it. Game code may change any."""

    NOBODY = 0
    OWNER = 1


class ObjectId(NamedTuple):
    """What an object is known by. `user_id` is its owner's, empty for the server's own."""

    collection: str
    key: str
    user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as it is kept. Times are whole Unix seconds."""

    collection: str
    key: str
    user_id: str
    text: str = field(repr=False)
    """The JSON text, as it was written."""
    version: str
    """Another value has another one: show it when you write, and no change in between is lost."""
    permission_read: int
    permission_write: int
    create_time: int
    update_time: int

    @property
    def id(self) -> ObjectId:
        return ObjectId(self.collection, self.key, self.user_id)

    @property
    def value(self) -> dict[str, Any]:
        """The JSON object, read anew at each call."""
        value: dict[str, Any] = json.loads(self.text)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWrite:
    """An object to be written, in the place of the one with the same id.

    `version`: `ANY_VERSION`, `ONLY_NEW`, or the version that the object must have at this moment. `text` is
    what `object_text` makes of a value.
    """

    collection: str
    key: str
    user_id: str = ""
    text: str = field(repr=False)
    version: str = ANY_VERSION
    permission_read: int = Readable.OWNER
    permission_write: int = Writable.OWNER

    @property
    def id(self) -> ObjectId:
        return ObjectId(self.collection, self.key, self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDelete:
    """An object to be deleted. `version`: `ANY_VERSION`, or the one it must have at this moment."""

    collection: str
    key: str
    user_id: str = ""
    version: str = ANY_VERSION

    @property
    def id(self) -> ObjectId:
        return ObjectId(self.collection, self.key, self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """An object was written: its new version, and when. Times are whole Unix seconds."""

    collection: str
    key: str
    user_id: str
    version: str
    create_time: int
    update_time: int


class Refusal(StrEnum):
    """Why a call was refused as a whole."""

    VERSION = "version"
    PERMISSION = "permission"
    FULL = "full"
    OWNER = "owner"
    INVALID = "invalid"


class ObjectsRefused(Exception):
    """Nothing of the call was done. The text says why, and holds nothing that was sent."""

    refusal: Refusal


class VersionConflict(ObjectsRefused):
    """An object is not in the version that the call named: read it again, and decide again."""

    refusal = Refusal.VERSION


class NotPermitted(ObjectsRefused):
    """A client may not change this object. Never told to game code."""

    refusal = Refusal.PERMISSION


class TooManyObjects(ObjectsRefused):
    """The owner has as many objects as one may have."""

    refusal = Refusal.FULL


class NoSuchOwner(ObjectsRefused):
    """There is no account for the owner, or none any more."""

    refusal = Refusal.OWNER


class InvalidObject(ObjectsRefused):
    """An id, a permission, a value or a cursor that none can have, or too many at once."""

    refusal = Refusal.INVALID


def object_text(value: Mapping[str, Any]) -> str:
    """A value as compact JSON text. Tuples become lists, and numbers that are keys become texts.

    Raises `InvalidObject` for what JSON cannot say.
    """
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()  # a lone surrogate is no text
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidObject(f"The value is no JSON object: {type(error).__name__}") from None
    return text
