"""What rules may ask for."""

from typing import get_args

from protocol.messages import Pong
from server import effects
from server.effects import Deliver, Effect, Reply, Stream


def test_effects_are_values() -> None:
    assert Deliver(Stream(5, "x"), Pong()) == Deliver(Stream(5, "x"), Pong())
    assert Reply() != Reply(Pong())


def test_the_list_of_effects_is_closed_and_complete() -> None:
    made = {value for value in vars(effects).values() if getattr(value, "__module__", "") == effects.__name__}

    assert set(get_args(Effect)) == made - {Stream}
