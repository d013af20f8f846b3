"""Stored objects over HTTP: players write and delete their own, and read what they may.

An answer leaves out what is empty or zero, permissions included. The owner of the server's objects is the nil
UUID on the wire, and empty behind it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from server.clock import Clock
from server.core.identifiers import parse_uuid
from server.identity import strict_json
from server.identity.tokens import SessionClaims
from server.runtime.objects import (
    Ack,
    InvalidObject,
    NotPermitted,
    ObjectDelete,
    ObjectId,
    ObjectWrite,
    Readable,
    StoredObject,
    VersionConflict,
    Writable,
)
from server.storage.objects import StoredObjects
from server.web import paging, reading
from server.web.errors import Code, Failure, json_response
from server.web.parameters import scalar
from server.web.timestamps import rfc3339

_NIL = str(uuid.UUID(int=0))
_NOT_DELETED = "Storage delete rejected - not found, version check failed, or permission denied."


async def write_objects(
    request: web.Request, caller: SessionClaims, stored: StoredObjects, clock: Clock
) -> web.Response:
    """`PUT /v2/storage`: all of them or none."""
    body = await reading.body_object(request)
    with stored.counted():
        writes = [_write(each, caller.user_id) for each in reading.messages(body, "objects")]
    acks = await stored.write(writes, now=int(clock.wall()), by_client=True)
    return json_response({"acks": [_answer(each) for each in acks]} if acks else {})


async def read_objects(request: web.Request, caller: SessionClaims, stored: StoredObjects) -> web.Response:
    """`POST /v2/storage`: those that are there and that the caller may read."""
    body = await reading.body_object(request)
    with stored.counted():
        ids = [
            ObjectId(
                reading.text(each, "collection"),
                reading.text(each, "key"),
                _owner(reading.text(each, "user_id")),
            )
            for each in reading.messages(body, "object_ids")
        ]
    found = await stored.read(ids, reader=caller.user_id)
    return json_response({"objects": [_answer(each) for each in found]} if found else {})


async def delete_objects(request: web.Request, caller: SessionClaims, stored: StoredObjects) -> web.Response:
    """`PUT /v2/storage/delete` and `DELETE /v2/storage`: all of them or none."""
    body = await reading.body_object(request)
    deletes = [
        ObjectDelete(
            collection=reading.text(each, "collection"),
            key=reading.text(each, "key"),
            user_id=caller.user_id,
            version=reading.text(each, "version"),
        )
        for each in reading.messages(body, "object_ids")
    ]
    try:
        await stored.delete(deletes, by_client=True)
    except (VersionConflict, NotPermitted):
        raise Failure(Code.INVALID_ARGUMENT, _NOT_DELETED) from None
    return json_response({})


async def list_objects(request: web.Request, caller: SessionClaims, stored: StoredObjects) -> web.Response:
    """`GET /v2/storage/{collection}` and `GET /v2/storage/{collection}/{user_id}`.

    Without a user: what everybody may read, whoever has it.
    """
    limit = paging.limit_of(request)
    user_id = request.match_info.get("user_id") or scalar(request, "user_id")
    cursor = scalar(request, "cursor") or ""
    with stored.counted():
        owner = _owner(user_id) if user_id else None
    page = await stored.list(request.match_info["collection"], owner, limit, cursor, reader=caller.user_id)
    answer = {"objects": [_answer(each) for each in page.objects], "cursor": page.cursor}
    return json_response({name: value for name, value in answer.items() if value})


def _write(fields: Mapping[str, Any], user_id: str) -> ObjectWrite:
    read, write = (reading.optional_int32(fields, f"permission_{which}") for which in ("read", "write"))
    text = reading.text(fields, "value")
    if text and not _is_object(text):
        raise InvalidObject("Value must be a JSON object.")
    return ObjectWrite(
        collection=reading.text(fields, "collection"),
        key=reading.text(fields, "key"),
        user_id=user_id,
        text=text,
        version=reading.text(fields, "version"),
        permission_read=Readable.OWNER if read is None else read,
        permission_write=Writable.OWNER if write is None else write,
    )


def _is_object(text: str) -> bool:
    try:
        strict_json.load_object(text.encode(), max_depth=reading.MAX_DEPTH)
    except strict_json.NotStrict:
        return False
    return True


def _owner(user_id: str) -> str:
    if not user_id:
        return ""
    parsed = parse_uuid(user_id)
    if parsed is None:
        raise InvalidObject("Invalid user ID - make sure user ID is a valid UUID.")
    return "" if parsed == _NIL else parsed


def _answer(stored: StoredObject | Ack) -> dict[str, Any]:
    fields: dict[str, Any] = asdict(stored)
    if "text" in fields:
        fields["value"] = fields.pop("text")
    fields["user_id"] = stored.user_id or _NIL
    fields["create_time"] = rfc3339(stored.create_time)
    fields["update_time"] = rfc3339(stored.update_time)
    return {name: value for name, value in fields.items() if value}
