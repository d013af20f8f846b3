"""Connections are taken in, a few at a time."""

import asyncio
import socket

import pytest
from structlog.testing import capture_logs

from server.web import acceptor as module
from server.web.acceptor import Acceptor
from tests.support.inprocess import until


async def test_all_who_come_are_taken_in_but_not_in_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    taken: list[socket.socket] = []
    acceptor = Acceptor(lambda client, _: taken.append(client))
    host, port = await acceptor.listen("127.0.0.1", 0, 100)
    clients = [socket.create_connection((host, port)) for _ in range(10)]

    most, before = 0, 0
    while len(taken) < 10:
        await asyncio.sleep(0)
        most, before = max(most, len(taken) - before), len(taken)

    assert most == 3
    assert not any(each.getblocking() for each in taken)
    acceptor.close()
    for each in (*clients, *taken):
        each.close()


async def test_a_failure_to_accept_is_told_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    failures = [OSError(24, "Too many open files")]
    taken: list[socket.socket] = []

    class Listener(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if failures:
                raise failures.pop()
            return super().accept()

    monkeypatch.setattr(socket, "socket", Listener)
    acceptor = Acceptor(lambda client, _: taken.append(client))
    with capture_logs() as entries:
        host, port = await acceptor.listen("127.0.0.1", 0, 100)
        monkeypatch.undo()
        monkeypatch.setattr(module, "RETRY_S", 0.01)
        with socket.create_connection((host, port)):
            await until(lambda: len(taken) == 1)
    acceptor.close()
    taken[0].close()

    assert [entry["reason"] for entry in entries] == ["Too many open files"]


async def test_once_closed_nobody_is_let_in() -> None:
    acceptor = Acceptor(lambda client, _: client.close())
    host, port = await acceptor.listen("127.0.0.1", 0, 100)

    acceptor.close()
    acceptor.close()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port))
