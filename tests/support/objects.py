"""Stored objects to be written straight into a store."""

from typing import Any

from server.runtime.objects import ObjectDelete, ObjectId, ObjectWrite, object_text
from tests.support.issuer import ALICE


def object_id(key: str, user_id: str = ALICE, *, collection: str = "saves") -> ObjectId:
    return ObjectId(collection, key, user_id)


def to_write(key: str, level: int = 1, *, user_id: str = ALICE, **changed: Any) -> ObjectWrite:
    fields = {"collection": "saves", "text": object_text({"level": level})}
    return ObjectWrite(**(fields | {"key": key, "user_id": user_id} | changed))


def to_delete(key: str, *, user_id: str = ALICE, version: str = "") -> ObjectDelete:
    return ObjectDelete(collection="saves", key=key, user_id=user_id, version=version)
