"""The bundle that handlers work on."""

import dataclasses

import pytest

from tests.support.world import empty_world


def test_the_parts_cannot_be_exchanged_while_playing() -> None:
    world = empty_world()

    with pytest.raises(dataclasses.FrozenInstanceError):
        world.matches = world.matches  # type: ignore[misc]  # that it is refused is the point


def test_its_cores_share_one_set_of_presences() -> None:
    world = empty_world()

    assert world.matches._presences is world.presences
    assert world.statuses._presences is world.presences
