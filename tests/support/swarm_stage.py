"""Players of the swarm without a server: their sockets lead nowhere, and a test brings what they hear."""

import asyncio
import socket
from collections.abc import Callable
from random import Random
from typing import Any, cast

from loadtest.common import Common, Group
from loadtest.dial import Dialer
from loadtest.ledger import Ledger
from loadtest.pacer import Pacer
from loadtest.plan import Plan
from loadtest.player import Player
from loadtest.profile import course
from loadtest.shortages import Shortages
from loadtest.sign_in.bridge import Bridge
from loadtest.sign_in.device import Device
from loadtest.socket import Socket, State
from loadtest.takeovers import Takeovers
from loadtest.timings import Timings
from protocol.envelope import Format


class Nowhere(asyncio.Transport):
    """Takes what is written; `taken` is given it."""

    def __init__(self, taken: Callable[[bytes], None] = lambda _data: None) -> None:
        super().__init__()
        self._taken = taken
        self.is_closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def write(self, data: Any) -> None:
        self._taken(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True


def common_of(form: Format = Format.JSON, **plan_members: Any) -> Common:
    """What players share, begun now, with nobody to call. Needs a running loop."""
    plan = Plan(format="json" if form is Format.JSON else "protobuf", **plan_members)
    timings, ledger, random = Timings(), Ledger(), Random(1)
    common = Common(
        plan=plan,
        settings=None,
        name="stage",
        run=1,
        random=random,
        pacer=Pacer(lambda _us: None),
        timings=timings,
        ledger=ledger,
        dialer=Dialer(plan, (socket.AF_INET, ("127.0.0.1", 1)), timings, random, Shortages()),
        sign_in=Device(),
        bridge=cast(Bridge, None),
        takeovers=Takeovers(ledger, timings),
        tell=lambda _at, _text, _name: None,
    )
    common.begin(course(plan))
    return common


def group_of(common: Common, members: int) -> list[Player]:
    """Players of one group, each on a socket that is open and leads nowhere."""
    group = Group(0, "group", common.ledger)
    players = []
    for index in range(members):
        player = Player(common, index, f"player-{index}", group, index)
        made = Socket(player.ear, ("host", "/ws"), common.random, form=player.form)
        made.connection_made(Nowhere())
        made.state, player.socket = State.OPEN, made
        players.append(player)
    return players


def session_of(player: Player) -> str:
    return f"{player.index:08d}-0000-4000-8000-000000000000"


def user_of(player: Player) -> str:
    return f"user-{player.index}"
