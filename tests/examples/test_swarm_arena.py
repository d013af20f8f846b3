"""The match that the swarm plays in, and the remote call by which it is found."""

from examples.swarm_arena import Op, SwarmArena, swarm_arena
from server.runtime.api import serving
from server.runtime.fake_server import FakeServer
from server.runtime.testing import FakePlayer, Table


def heard(player: FakePlayer) -> list[tuple[int, bytes]]:
    """Since the last look."""
    found = [(each.op_code, each.data) for each in player.heard]
    player.heard.clear()
    return found


def test_an_input_comes_back_to_all_or_to_its_sender_at_the_next_tick() -> None:
    table = Table(SwarmArena)
    alice, bob = table.join("alice"), table.join("bob")

    alice.send(Op.ALL, b"to all")
    bob.send(Op.SENDER, b"to me")
    assert heard(alice) == heard(bob) == []
    table.tick()

    assert heard(alice) == [(Op.ALL, b"to all")]
    assert heard(bob) == [(Op.ALL, b"to all"), (Op.SENDER, b"to me")]


def test_inputs_keep_their_order_and_come_once() -> None:
    table = Table(SwarmArena)
    alice = table.join("alice")
    for number in range(5):
        alice.send(Op.ALL, bytes([number]))

    table.tick()
    table.tick()

    assert heard(alice) == [(Op.ALL, bytes([number])) for number in range(5)]


def test_what_has_another_op_code_is_ignored() -> None:
    table = Table(SwarmArena)
    alice = table.join("alice")

    alice.send(1, b"x")
    table.tick()

    assert heard(alice) == []
    assert table.over is None


async def test_each_group_gets_a_match_of_its_own() -> None:
    fake = FakeServer(SwarmArena)

    with serving(fake):
        found = [await swarm_arena(None, name) for name in ('"one"', '"two"')]  # type: ignore[arg-type]  # who asks does not matter

    assert len({each["match_id"] for each in found}) == 2
    assert all(isinstance(fake.tables[each["match_id"]].match, SwarmArena) for each in found)
