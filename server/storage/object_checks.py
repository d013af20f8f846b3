"""What a call about stored objects may hold at all, before the database is asked.

Raises `InvalidObject`, with the reference's text where it has one. What is there already is not looked at.
"""

import re
import uuid
from collections.abc import Iterable, Sequence, Sized

from server.runtime.objects import InvalidObject, ObjectId, ObjectWrite, Readable, Writable
from server.sections import ObjectSettings
from server.storage.dialects import is_storable

NAME_BYTES = 128
MAX_PAGE = 100

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_NIL = str(uuid.UUID(int=0))
_READABLE = frozenset(Readable)
_WRITABLE = frozenset(Writable)


def check_ids(ids: Sequence[ObjectId], limits: ObjectSettings) -> None:
    """Not too many, and each such that there may be an object of it."""
    _check_number(ids, limits)
    for each in ids:
        _check_names(each.collection, each.key)
    check_owners(each.user_id for each in ids)


def check_writes(writes: Sequence[ObjectWrite], limits: ObjectSettings) -> None:
    """Not too many, and each such that it may be an object. That the text is a JSON object is not checked."""
    _check_number(writes, limits)
    for each in writes:
        _check_names(each.collection, each.key, each.text)
        if each.permission_read not in _READABLE:
            raise InvalidObject("Invalid Read permission supplied. It must be either 0, 1 or 2.")
        if each.permission_write not in _WRITABLE:
            raise InvalidObject("Invalid Write permission supplied. It must be either 0 or 1.")
        if not is_storable(each.text):
            raise InvalidObject("Value must be a JSON object.")
        if len(each.text.encode()) > limits.value_bytes:
            raise InvalidObject(f"Value too large, must be at most {limits.value_bytes} bytes.")
    check_owners(each.user_id for each in writes)


def check_collection(collection: str) -> None:
    """Such that there may be objects in it."""
    _check_names(collection)


def check_owners(user_ids: Iterable[str]) -> None:
    """Each empty, or the canonical text of a UUID. Not nil: the server has one name alone."""
    if not all(_UUID.fullmatch(each) and each != _NIL for each in user_ids if each):
        raise InvalidObject("Invalid user ID - make sure user ID is a valid UUID.")


def check_page(limit: int) -> None:
    """As many as a page may have."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidObject(f"Invalid limit - limit must be between 1 and {MAX_PAGE}.")


def _check_number(items: Sized, limits: ObjectSettings) -> None:
    if len(items) > limits.batch_max:
        raise InvalidObject(f"Too many objects at once, must be at most {limits.batch_max}.")


def _check_names(collection: str, *rest: str) -> None:
    if not collection or not all(rest):
        raise InvalidObject("Invalid collection or key value supplied. They must be set.")
    for name in (collection, *rest[:1]):
        if not is_storable(name) or len(name.encode()) > NAME_BYTES:
            raise InvalidObject(
                f"Invalid collection or key value supplied. They must be text of at most {NAME_BYTES} bytes."
            )
