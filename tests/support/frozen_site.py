"""A small site that freezes as a whole: `python -m tests.support.frozen_site PERIOD FOR`, in seconds.

It is `FaultySite` in a process of its own, so that the load's loop goes on, and answers in next to no time,
so that what it should be found to do is arithmetic (`freezes.py`). It also answers `rpc` with the payload,
takes device sign-ins, and gives identity tokens as the development issuer does. Log lines are the server's:
one `server_ready`, then `froze` with `begun_s` and `ended_s` for each freeze.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from tests.support.freezes import Freezer
from tests.support.running import RunningServer, running_module, without_settings
from tests.support.swarm import FaultySite, serving

SAYS_NOTHING = frozenset({"match_leave", "status_follow", "status_unfollow", "status_update"})
"""Requests that are answered with their cid alone."""


class EchoSite(FaultySite):
    """Answers pings and calls, and relays match data to the others of a match or to those named."""

    def app(self) -> web.Application:
        app = super().app()
        app.router.add_post("/_dev/token", self._token)
        app.router.add_post("/v2/account/authenticate/device", self._bridge)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        return web.json_response({"token": f"jwt-of-{json.loads(await request.text())['user']}"})

    async def _answer(
        self, socket: web.WebSocketResponse, me: dict[str, str], envelope: dict[str, Any]
    ) -> None:
        if "rpc" in envelope or envelope.keys() & SAYS_NOTHING:
            rest = {name: value for name, value in envelope.items() if name in ("cid", "rpc")}
            await socket.send_json(rest)
        else:
            await super()._answer(socket, me, envelope)

    async def _relay(self, sender: web.WebSocketResponse, me: dict[str, str], body: dict[str, Any]) -> None:
        named = {each["session_id"] for each in body.get("presences", ())}
        if not named:
            await super()._relay(sender, me, body)
            return
        data = {key: body[key] for key in ("match_id", "op_code", "data") if key in body}
        for socket, who in self._rooms[body["match_id"]]:
            if who["session_id"] in named and not socket.closed:
                await socket.send_json({"match_data": {**data, "presence": me}})


@contextmanager
def frozen_site(folder: Path, period_s: float, for_s: float) -> Iterator[RunningServer]:
    """The site as a process. `public` and `ops` are its address, `issuer` its URL."""
    command = ("tests.support.frozen_site", str(period_s), str(for_s))
    with running_module(command, folder, without_settings()) as server:
        yield server


async def run(period_s: float, for_s: float) -> None:
    """Serve until SIGTERM. Raises ValueError for times that make no sense."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    freezer = Freezer(period_s, for_s, lambda freeze: _tell("froze", begun_s=freeze[0], ended_s=freeze[1]))
    async with serving(EchoSite()) as url:
        address = url.removeprefix("http://")
        _tell("server_ready", public=address, ops=address, issuer=url)
        freezer.begin()
        await stop.wait()
        freezer.stop()


def _tell(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    try:
        period_s, for_s = map(float, arguments)
        uvloop.run(run(period_s, for_s))
    except ValueError as error:
        sys.stderr.write(f"frozen_site: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
