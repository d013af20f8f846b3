"""The operator's listener."""

from dataclasses import dataclass

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from server.web.handover import SiteRunner
from server.web.ops import OpsDeps, build_ops


@dataclass
class State:
    started: bool = False
    ready: bool = False


async def test_probes_follow_the_server_and_metrics_are_text() -> None:
    state, registry = State(), CollectorRegistry()
    Counter("things", "Things that happened.", registry=registry).inc()
    runner = SiteRunner(build_ops(OpsDeps(lambda: state.started, lambda: state.ready, registry)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:

        async def status(path: str) -> int:
            async with client.get(path) as response:
                return response.status

        before = [await status(path) for path in ("/livez", "/startupz", "/readyz")]
        state.started = state.ready = True
        during = [await status(path) for path in ("/livez", "/startupz", "/readyz")]
        state.ready = False
        draining = [await status(path) for path in ("/livez", "/startupz", "/readyz")]
        async with client.get("/metrics") as response:
            text, kind = await response.text(), response.headers["Content-Type"]
        closed = await status("/v2/account")
    await runner.cleanup()

    assert (before, during, draining) == ([200, 503, 503], [200, 200, 200], [200, 200, 503])
    assert "things_total 1.0" in text
    assert kind.startswith("text/plain; version=0.0.4")
    assert closed == 403
