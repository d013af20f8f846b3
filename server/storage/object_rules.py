"""Who may read a stored object, and what a change makes of the one that is there.

Plain rules on values: the database is asked before and told after.
"""

import hashlib

from server.runtime.objects import (
    ANY_VERSION,
    ONLY_NEW,
    NotPermitted,
    ObjectDelete,
    ObjectWrite,
    Readable,
    StoredObject,
    VersionConflict,
    Writable,
)


def changed(there: StoredObject | None, wanted: ObjectWrite, now: int, *, by_client: bool) -> StoredObject:
    """What a write makes of what is there. Raises `VersionConflict` and `NotPermitted`."""
    if wanted.version == ONLY_NEW:
        if there is not None:
            raise VersionConflict("Storage write rejected - version check failed.")
    elif wanted.version != ANY_VERSION and (there is None or there.version != wanted.version):
        raise VersionConflict("Storage write rejected - version check failed.")
    if by_client and there is not None and there.permission_write == Writable.NOBODY:
        raise NotPermitted("Storage write rejected - permission denied.")
    return StoredObject(
        collection=wanted.collection,
        key=wanted.key,
        user_id=wanted.user_id,
        text=wanted.text,
        version=hashlib.md5(wanted.text.encode(), usedforsecurity=False).hexdigest(),
        permission_read=int(wanted.permission_read),
        permission_write=int(wanted.permission_write),
        create_time=now if there is None else there.create_time,
        update_time=now,
    )


def check_delete(there: StoredObject | None, wanted: ObjectDelete, *, by_client: bool) -> None:
    """That what is there may be deleted. Raises `VersionConflict` and `NotPermitted`."""
    if there is None:
        if by_client or wanted.version != ANY_VERSION:
            raise VersionConflict("Storage delete rejected - not found.")
    elif wanted.version not in (ANY_VERSION, there.version):
        raise VersionConflict("Storage delete rejected - version check failed.")
    elif by_client and there.permission_write == Writable.NOBODY:
        raise NotPermitted("Storage delete rejected - permission denied.")


def may_read(found: StoredObject, reader: str | None) -> bool:
    """Whether a client may read an object; None is the server, which may."""
    return found.permission_read >= least(found.user_id, reader)


def least(owner: str, reader: str | None) -> int:
    """The permission that an object of `owner` needs, so that `reader` may read it."""
    if reader is None:
        return Readable.NOBODY
    return Readable.OWNER if owner == reader else Readable.EVERYBODY
