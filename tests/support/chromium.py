"""A headless Chromium of the system's packages, driven by its DevTools protocol.

It resolves the host names it is told and no others, so it never leaves the machine.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

INSTALL_LIMIT_S = 600
START_LIMIT_S = 60
STOP_LIMIT_S = 10
ANSWER_LIMIT_S = 30
LISTENING = "DevTools listening on "

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--no-sandbox",  # root and containers have none; it loads pages of the test only
    "--password-store=basic",
    "--remote-debugging-port=0",
)


class BrowserMissing(Exception):
    """There is no Chromium here, and it cannot be installed; the text says why."""


def find_chromium() -> str:
    """Its path. Installs Debian's package where it is missing and we may. Raises `BrowserMissing`."""
    if (found := shutil.which("chromium")) is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BrowserMissing("install it with: sudo apt-get install -y chromium")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        try:
            done = subprocess.run(
                ["apt-get", "-qq", *command],
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=INSTALL_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise BrowserMissing(f"apt-get was not done within {INSTALL_LIMIT_S} s") from None
        if done.returncode != 0:
            raise BrowserMissing(done.stderr[-2000:])
    if (found := shutil.which("chromium")) is None:
        raise BrowserMissing("the package has no program of that name")
    return found


class Page:
    """One tab. A script that throws fails the test."""

    def __init__(self, devtools: "DevTools", session: str) -> None:
        self._devtools = devtools
        self._session = session

    async def go(self, url: str) -> None:
        """Load an address and wait until that is done."""
        self._devtools.forget_events()
        answer = await self._devtools.call("Page.navigate", {"url": url}, self._session)
        assert "errorText" not in answer, answer["errorText"]
        await self._devtools.event("Page.loadEventFired", self._session)

    async def watch(self) -> None:
        """From now on `happened` tells of requests, and of what scripts threw, said, or may not do."""
        for domain in ("Network", "Runtime", "Log"):
            await self._devtools.call(f"{domain}.enable", session=self._session)

    def happened(self, event: str) -> int:
        """How often, since the page was last loaded; at most some hundred events are remembered."""
        return self._devtools.count(event, self._session)

    async def reload(self) -> None:
        """As the user does it; what scripts remembered is gone."""
        self._devtools.forget_events()
        await self._devtools.call("Page.reload", {}, self._session)
        await self._devtools.event("Page.loadEventFired", self._session)

    async def run(self, body: str, **given: Any) -> Any:
        """Run the body of an asynchronous function in the page, with these constants; what it returns."""
        constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
        answer = await self._devtools.call(
            "Runtime.evaluate",
            {
                "expression": f"(async () => {{ {constants} {body} }})()",
                "awaitPromise": True,
                "returnByValue": True,
            },
            self._session,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def submit(self, body: str, **given: Any) -> None:
        """Run a script that navigates, and wait until the new document is there."""
        self._devtools.forget_events()
        await self.run(body, **given)
        await self._devtools.event("Page.loadEventFired", self._session)


class DevTools:
    """Calls and events of the protocol, one at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._events: deque[tuple[str | None, str]] = deque(maxlen=1000)

    async def call(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        """The result of a call. Fails with the protocol's error."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params or {}}
        await self._connection.send(json.dumps(message | ({} if session is None else {"sessionId": session})))
        while (answer := await self._receive()).get("id") != number:
            pass
        assert "error" not in answer, (method, answer["error"])
        return dict(answer["result"])

    async def event(self, name: str, session: str) -> None:
        """Wait until this has happened since `forget_events`."""
        while (session, name) not in self._events:
            await self._receive()

    def count(self, name: str, session: str) -> int:
        """How often this has happened since `forget_events`, as far as was read."""
        return self._events.count((session, name))

    def forget_events(self) -> None:
        self._events.clear()

    async def cookies(self) -> dict[str, dict[str, Any]]:
        """Every cookie the browser holds, by name: those that scripts cannot see as well."""
        answer = await self.call("Storage.getCookies")
        return {cookie["name"]: cookie for cookie in answer["cookies"]}

    async def open_page(self) -> Page:
        """An empty tab."""
        target = await self.call("Target.createTarget", {"url": "about:blank"})
        attached = await self.call("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        session = str(attached["sessionId"])
        await self.call("Page.enable", session=session)
        return Page(self, session)

    async def _receive(self) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            message: dict[str, Any] = json.loads(await self._connection.recv())
        if "method" in message:
            self._events.append((message.get("sessionId"), message["method"]))
        return message


@contextlib.asynccontextmanager
async def running_chromium(
    program: str, folder: Path, *, hosts: tuple[str, ...], spki: str
) -> AsyncIterator[DevTools]:
    """A browser with a profile of its own, which takes the certificate with this `spki`.

    `hosts` are this machine; there are no others.
    """
    rules = ",".join([*(f"MAP {host} 127.0.0.1" for host in hosts), "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"])
    flags = [
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules={rules}",
        f"--ignore-certificate-errors-spki-list={spki}",
    ]
    with _started([program, *flags], folder) as url:
        async with connect(url, max_size=None, proxy=None) as connection:
            yield DevTools(connection)


@contextlib.contextmanager
def _started(command: list[str], folder: Path) -> Iterator[str]:
    """Start it and give its DevTools' URL; at the end it is gone."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    # Read to the end, so that a full pipe never holds it up.
    reader = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    overdue = threading.Timer(START_LIMIT_S, process.kill)
    overdue.start()
    try:
        url = _listening(iter(process.stderr), said)
        overdue.cancel()
        reader.start()
        yield url
    finally:
        overdue.cancel()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join()
        process.stderr.close()


def _listening(lines: Iterator[str], said: list[str]) -> str:
    for line in lines:
        said.append(line)
        if line.startswith(LISTENING):
            return line.removeprefix(LISTENING).strip()
    raise AssertionError(f"Chromium did not start:\n{''.join(said)}")
