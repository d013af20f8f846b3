"""The operator's listener: health for orchestrators, metrics for Prometheus. Never a public address."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from server.web.errors import answer


@dataclass(frozen=True, slots=True)
class OpsDeps:
    """`started`: everything was built once; `ready`: new players are welcome now (false while draining)."""

    started: Callable[[], bool]
    ready: Callable[[], bool]
    registry: CollectorRegistry


def build_ops(deps: OpsDeps) -> web.Application:
    """The application for the ops listener."""
    app = web.Application(middlewares=[_answered])
    app.router.add_route("GET", "/livez", _probe(lambda: True))
    app.router.add_route("GET", "/startupz", _probe(deps.started))
    app.router.add_route("GET", "/readyz", _probe(deps.ready))

    async def metrics(_request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(body=generate_latest(deps.registry), headers=headers)

    app.router.add_route("GET", "/metrics", metrics)
    return app


def _probe(holds: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def probe(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if holds() else web.Response(text="not ready\n", status=503)

    return probe


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:  # every failure ends here, as an answer
        return answer(error)
