"""Time and chance of a match."""

from server.runtime import Context


def test_a_step_is_as_long_as_the_rate_says() -> None:
    context = Context("m.n", "n", tick_rate=20, seed=1, started_at=100.0, now=102.5)

    assert (context.dt, context.elapsed) == (0.05, 2.5)


def test_chance_comes_from_the_seed_alone() -> None:
    draws = [[Context("m.n", "n", 10, seed).random.randrange(1000) for _ in range(3)] for seed in (1, 1, 2)]

    assert draws[0] == draws[1] != draws[2]
