"""A player's further identities over HTTP. The body's `id` is the other identity's token."""

from aiohttp import web

from server.identity.links import Links
from server.identity.tokens import SessionClaims
from server.web.errors import json_response
from server.web.reading import body_object, field


async def link_custom(request: web.Request, caller: SessionClaims, links: Links) -> web.Response:
    """`POST /v2/account/link/custom`."""
    body = await body_object(request)
    await links.link(caller.user_id, field(body, "id"))
    return json_response({})


async def unlink_custom(request: web.Request, caller: SessionClaims, links: Links) -> web.Response:
    """`POST /v2/account/unlink/custom`."""
    body = await body_object(request)
    await links.unlink(caller.user_id, field(body, "id"), keep=caller.family_id)
    return json_response({})
