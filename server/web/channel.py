"""The history of a channel over HTTP, page by page in either direction."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from protocol.errors import RequestError
from server.identity.tokens import SessionClaims
from server.storage.messages import Messages, Numbered
from server.web import paging
from server.web.errors import Code, Failure, json_response
from server.web.parameters import boolean, scalar
from server.web.timestamps import rfc3339_exact

Readable = Callable[[str, str], tuple[str, Mapping[str, str]]]
"""By the id that a player (the second) asks for: the channel's own id, and what its messages call it.

Raises `RequestError` if that is no channel, or not theirs to read."""


async def list_messages(
    request: web.Request, caller: SessionClaims, messages: Messages, readable: Readable
) -> web.Response:
    """`GET /v2/channel/{channel_id}`."""
    limit = paging.limit_of(request)
    forward = boolean(request, "forward") is not False
    text = scalar(request, "cursor") or ""
    try:
        channel_id, names = readable(request.match_info["channel_id"], caller.user_id)
    except RequestError as refused:
        raise Failure(Code.INVALID_ARGUMENT, refused.message) from None
    cursor = paging.decode(text, channel_id) if text else None
    if text and (cursor is None or cursor.forward != forward):
        raise Failure(Code.INVALID_ARGUMENT, "Cursor is invalid or expired.")
    page = await paging.page(partial(_fetch, messages, channel_id), cursor, limit, forward=forward)
    encode = partial(paging.encode, which=channel_id)
    answer = {
        "messages": [_message(each, names) for each in page.items],
        "next_cursor": encode(page.next),
        "prev_cursor": encode(page.previous),
        "cacheable_cursor": encode(page.newest),
    }
    return json_response({name: value for name, value in answer.items() if value})


async def _fetch(
    messages: Messages, channel_id: str, position: int, limit: int, newer: bool
) -> Sequence[Numbered]:
    return await messages.page(channel_id, position, limit, newer=newer)


def _message(numbered: Numbered, names: Mapping[str, str]) -> dict[str, Any]:
    message = numbered.message
    return {
        "channel_id": message.channel_id,
        "message_id": message.id,
        "code": 0,
        "sender_id": message.sender_id,
        "username": message.username,
        "content": message.content,
        "create_time": rfc3339_exact(message.create_time),
        "update_time": rfc3339_exact(message.update_time),
        "persistent": True,
        **names,
    }
