"""Players as others see them: the User message, and `GET /v2/user`."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from server.core.identifiers import parse_uuid
from server.storage.profiles import Profile, Profiles
from server.web.errors import Code, Failure, json_response
from server.web.parameters import MAX_QUOTED, repeated
from server.web.timestamps import rfc3339

IsOnline = Callable[[str], bool]

_OPTIONAL = ("display_name", "avatar_url", "lang_tag", "location", "timezone", "metadata")


async def get_users(request: web.Request, profiles: Profiles, is_online: IsOnline) -> web.Response:
    """`GET /v2/user?ids&usernames`. Unknown players are absent, so an empty answer is `{}`."""
    ids = [_parsed(text) for text in repeated(request, "ids")]
    usernames = repeated(request, "usernames")
    found = await profiles.find(ids, usernames) if ids or usernames else []
    users = [user_json(profile, online=is_online(profile.id)) for profile in found]
    return json_response({"users": users} if users else {})


def user_json(profile: Profile, *, online: bool) -> dict[str, Any]:
    """The reference's User message: fields that are empty are left out."""
    user: dict[str, Any] = {"id": profile.id, "username": profile.username}
    user |= {name: value for name in _OPTIONAL if (value := getattr(profile, name))}
    if online:
        user["online"] = True
    return user | {
        "create_time": rfc3339(profile.create_time),
        "update_time": rfc3339(profile.update_time),
    }


def _parsed(text: str) -> str:
    user_id = parse_uuid(text)
    if user_id is None:
        raise Failure(Code.INVALID_ARGUMENT, f"ID '{text[:MAX_QUOTED]}' is not a valid system ID.")
    return user_id
