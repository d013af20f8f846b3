"""A player's stored notifications over HTTP: list them, delete them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import web

from server.identity.tokens import SessionClaims
from server.storage.notifications import NotificationStore, NumberedNotification
from server.web import paging
from server.web.errors import Code, Failure, json_response
from server.web.parameters import repeated, scalar
from server.web.timestamps import rfc3339


async def list_notifications(
    request: web.Request, caller: SessionClaims, notifications: NotificationStore
) -> web.Response:
    """`GET /v2/notification`. The cursor it answers with is for asking later what has come since."""
    limit = paging.limit_of(request)
    text, which = scalar(request, "cacheable_cursor"), f"notifications {caller.user_id}"
    cursor = paging.decode(text, which) if text else paging.Cursor(0)
    if cursor is None or not (cursor.forward and cursor.is_next):
        raise Failure(Code.INVALID_ARGUMENT, "Malformed cursor was used.")
    page = await paging.page(partial(_fetch, notifications, caller.user_id), cursor, limit, forward=True)
    answer = {
        "notifications": [_notification(each) for each in page.items],
        "cacheable_cursor": paging.encode(page.newest, which),
    }
    return json_response({name: value for name, value in answer.items() if value})


async def delete_notifications(
    request: web.Request, caller: SessionClaims, notifications: NotificationStore
) -> web.Response:
    """`DELETE /v2/notification`: those of the ids that are the caller's own."""
    await notifications.delete(caller.user_id, repeated(request, "ids"))
    return json_response({})


async def _fetch(
    notifications: NotificationStore, user_id: str, position: int, limit: int, _newer: bool
) -> Sequence[NumberedNotification]:
    return await notifications.page(user_id, position, limit)


def _notification(numbered: NumberedNotification) -> dict[str, Any]:
    news = numbered.notification
    fields: dict[str, Any] = {
        "id": news.id,
        "subject": news.subject,
        "content": news.content,
        "code": news.code,
        "sender_id": news.sender_id,
        "create_time": rfc3339(news.create_time),
        "persistent": True,
    }
    return {name: value for name, value in fields.items() if value}
