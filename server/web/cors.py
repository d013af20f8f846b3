"""Cross-origin requests as the reference answers them: any allowed origin, never with credentials."""

from aiohttp import web

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
SIMPLE_METHODS = frozenset({"GET", "HEAD", "POST"})
HEADERS = {"authorization": "Authorization", "content-type": "Content-Type", "user-agent": "User-Agent"}
SIMPLE_HEADERS = frozenset({"accept", "accept-language", "content-language", "origin"})


class Cors:
    """Decides about the `Origin` of a request. `*` among the origins allows all of them."""

    def __init__(self, allowed_origins: tuple[str, ...]) -> None:
        self._any = "*" in allowed_origins
        self._allowed = frozenset(allowed_origins)

    def allows(self, request: web.BaseRequest) -> bool:
        """A request without an Origin is no business of ours."""
        origin = request.headers.get("Origin")
        return origin is None or self._any or origin in self._allowed

    def mark(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Let the asking page read this response."""
        origin = request.headers.get("Origin")
        if origin is None or not self.allows(request):
            return
        response.headers["Access-Control-Allow-Origin"] = "*" if self._any else origin
        if not self._any:
            response.headers.add("Vary", "Origin")

    def preflight(self, request: web.BaseRequest) -> web.Response:
        """The answer to any OPTIONS request; empty in each case."""
        if "Origin" not in request.headers:
            return web.Response()
        if not self.allows(request):
            return web.Response(status=403)
        method = request.headers.get("Access-Control-Request-Method")
        if not method:
            return web.Response(status=400)
        if method not in METHODS:
            return web.Response(status=405)
        wanted = request.headers.get("Access-Control-Request-Headers", "")
        asked = [name.strip().lower() for name in wanted.split(",") if name.strip()]
        if any(name not in HEADERS and name not in SIMPLE_HEADERS for name in asked):
            return web.Response(status=403)
        response = web.Response()
        if named := [HEADERS[name] for name in asked if name in HEADERS]:
            response.headers["Access-Control-Allow-Headers"] = ",".join(named)
        if method not in SIMPLE_METHODS:
            response.headers["Access-Control-Allow-Methods"] = method
        return response
