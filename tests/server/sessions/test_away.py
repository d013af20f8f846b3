"""How long places are held, and how many."""

import pytest

from server.sessions import away as module
from server.sessions.away import Away
from server.sessions.session import Session
from tests.server.sessions.test_session import connected
from tests.support.clock import ManualClock


def session() -> Session:
    return connected()[0]


def test_a_place_is_held_for_so_long() -> None:
    clock = ManualClock()
    away = Away(clock, 30)
    first, second = session(), session()

    assert away.hold(first)
    clock.advance(10)
    assert away.hold(second)
    clock.advance(19.9)
    assert away.due() == []
    clock.advance(0.1)
    assert away.due() == [first]
    clock.advance(10)

    assert away.due() == [first, second]
    away.let_go(first)
    assert away.due() == [second]
    assert len(away) == 1


def test_without_a_time_nothing_is_held() -> None:
    away = Away(ManualClock(), 0)

    assert not away.hold(session())
    assert (len(away), away.refused) == (0, 0)


def test_only_so_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_AWAY", 2)
    away = Away(ManualClock(), 30)
    held = [session() for _ in range(3)]

    assert [away.hold(each) for each in held] == [True, True, False]
    assert away.refused == 1
    away.let_go(held[0])
    assert away.hold(held[2])
