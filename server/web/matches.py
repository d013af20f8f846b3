"""Matches over HTTP: finding one to join. Those that the server runs come first, then the relayed ones."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from aiohttp import web

from server.core.live_match import LiveMatch, MatchFilter
from server.web.errors import Code, Failure, json_response
from server.web.parameters import boolean, int32, scalar
from server.world import LiveMatches

DEFAULT_LIMIT = 10
MAX_LIMIT = 100


class Relayed(Protocol):
    """The relayed matches (`core/match.py`)."""

    def sizes(self) -> Iterator[tuple[str, int]]: ...


async def list_matches(request: web.Request, live: LiveMatches, relayed: Relayed) -> web.Response:
    """`GET /v2/match`."""
    wanted, authoritative = _wanted(request)
    found: list[dict[str, Any]] = []
    if authoritative is not False:
        try:
            found = [_live_json(match) for match in await live.find(wanted)]
        except ValueError:
            raise Failure(Code.INTERNAL, "Error listing matches.") from None
    if authoritative is not True and wanted.query is None and wanted.label is None:
        others = ((match_id, size) for match_id, size in relayed.sizes() if wanted.takes(size))
        found += [
            {"match_id": match_id, "size": size}
            for match_id, size in islice(others, wanted.limit - len(found))
        ]
    return json_response({"matches": found} if found else {})


def _wanted(request: web.Request) -> tuple[MatchFilter, bool | None]:
    """What is asked for, and of which kind; None is both. Refused in the reference's order."""
    limit = int32(request, "limit")
    authoritative = boolean(request, "authoritative")
    label, query = scalar(request, "label"), scalar(request, "query")
    least, most = int32(request, "min_size"), int32(request, "max_size")
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise _invalid(f"Invalid limit - limit must be between 1 and {MAX_LIMIT}.")
    if label is not None and authoritative is False:
        raise _invalid("Label filtering is not supported for non-authoritative matches.")
    if query is not None and authoritative is False:
        raise _invalid("Query filtering is not supported for non-authoritative matches.")
    if least is not None and least < 0:
        raise _invalid("Minimum size must be 0 or above.")
    if most is not None and most < 0:
        raise _invalid("Maximum size must be 0 or above.")
    if least is not None and most is not None and least > most:
        raise _invalid("Maximum size must be greater than or equal to minimum size when both are specified.")
    return MatchFilter(limit or DEFAULT_LIMIT, query, label, least, most), authoritative


def _live_json(match: LiveMatch) -> dict[str, Any]:
    answer: dict[str, Any] = {"match_id": match.match_id, "authoritative": True, "label": match.label}
    numbers = {"size": match.size, "tick_rate": match.tick_rate}
    answer |= {name: number for name, number in numbers.items() if number}
    return answer | ({"handler_name": match.handler_name} if match.handler_name else {})


def _invalid(message: str) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, message)
