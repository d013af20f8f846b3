"""Parties over HTTP: finding one to join. Which ones there are is the party core's to say, through a port."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from server.web.errors import Code, Failure, json_response
from server.web.parameters import boolean, int32, scalar

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
STEP = 2000
"""Work before others get their turn: a few milliseconds at worst."""


class Listed(Protocol):
    """A party as a listing shows it."""

    @property
    def id(self) -> str: ...
    @property
    def open(self) -> bool: ...
    @property
    def max_size(self) -> int: ...
    @property
    def label(self) -> str: ...


class Listing(Protocol):
    """One page in the making (`core/party_list.py`)."""

    def look(self, work: int) -> bool:
        """Look at more, for about so much work. Returns whether there are others still to be looked at."""
        ...

    def page(self) -> tuple[Sequence[Listed], str]:
        """The parties, and the cursor of the next page."""
        ...


class OpenListing(Protocol):
    """Port: begins to list parties that are not hidden."""

    def __call__(self, limit: int, *, is_open: bool | None, query: str, cursor: str) -> Listing:
        """Raises ValueError for a query or a cursor that is none."""
        ...


async def list_parties(request: web.Request, open_listing: OpenListing) -> web.Response:
    """`GET /v2/party`."""
    limit = int32(request, "limit")
    limit = DEFAULT_LIMIT if limit is None else limit
    is_open = boolean(request, "open")
    query, cursor = scalar(request, "query") or "", scalar(request, "cursor") or ""
    if not 1 <= limit <= MAX_LIMIT:
        raise Failure(Code.INVALID_ARGUMENT, f"Invalid limit - limit must be between 1 and {MAX_LIMIT}.")
    try:
        listing = open_listing(limit, is_open=is_open, query=query, cursor=cursor)
    except ValueError:
        # What the reference answers, word for word, whether its query or its cursor is wrong.
        raise Failure(Code.INTERNAL, "Error listing matches.") from None
    while listing.look(STEP):  # noqa: ASYNC110  # the condition works; others get their turn in between
        await asyncio.sleep(0)
    parties, next_page = listing.page()
    answer: dict[str, Any] = {}
    if parties:
        answer["parties"] = [party_json(party) for party in parties]
    if next_page:
        answer["cursor"] = next_page
    return json_response(answer)


def party_json(party: Listed) -> dict[str, Any]:
    """The reference's Party message: fields that are empty are left out."""
    shown: dict[str, Any] = {"party_id": party.id}
    if party.open:
        shown["open"] = True
    if party.max_size:
        shown["max_size"] = party.max_size
    return shown | {"label": party.label}
