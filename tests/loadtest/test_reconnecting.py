"""Who does not get back in after a storm is told, instead of being left out of the recoveries."""

import pytest
from aiohttp import web

from tests.support.swarm import serving
from tests.support.swarm_worker import Played, Site, plan, play

NOT_BACK = "a player was not back when the run ended"


class Shut(Site):
    """Lets in so many sockets and no more."""

    def __init__(self, sockets: int) -> None:
        super().__init__()
        self._sockets = sockets

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.status = 500 if self.asked >= self._sockets else 0
        return await super()._socket(request)


async def storm(sockets: int, duration_s: float) -> Played:
    settings = {"match_size": 2, "every_s": 1.0}
    async with serving(Shut(sockets)) as url:
        planned = plan(url, "reconnect-storm", players=2, duration_s=duration_s, settings=settings)
        return await play(planned)


def recoveries(played: Played) -> int:
    return sum(count for _, count in played.values("recover"))


@pytest.mark.parametrize(("sockets", "back"), [(2, 0), (3, 1)])
async def test_who_is_not_let_in_again_is_told(sockets: int, back: int) -> None:
    played = await storm(sockets, duration_s=4.5)

    assert played.errors == {NOT_BACK: 2}
    assert recoveries(played) == back
    assert played.count("attempts_to_come_back_failed") > 0


async def test_who_always_gets_back_is_not() -> None:
    played = await storm(1000, duration_s=1.3)

    assert played.errors == {}
    assert recoveries(played) == played.count("storms") == 2


async def test_of_a_storm_just_before_the_end_nothing_can_be_said() -> None:
    played = await storm(2, duration_s=1.2)

    assert played.count("storms") == 2
    assert played.errors == {}
