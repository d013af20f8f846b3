"""Logins, lived in every order, on two processes that share a database, against a small model of the rules.

A hypothesis state machine: logins of players with one identity or several, refreshes, answers that get lost,
thieves, logouts, bans, deletions, links, operators, restarts, key rotation, a clock that jumps.
Every request goes over HTTP. After each step every session token that was ever issued is judged by the check
that all entrances ask, in both processes, and must be good exactly when the model says so. A refresh token
cannot be judged without changing something, so they are really used: any of them at any step by a thief, and
all of them, in one order or the other, when a run ends.

Superseded means: older than the generation before the present one, or that one and its grace time is over by
the server's clock. Honest is a client that repeats a refresh within the grace time. One round in `make test`;
`make fuzz` goes on for LOCKGATE_FUZZ_S seconds.
"""

import os
from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from server.clock import SystemClock
from server.identity import revocation
from tests.fuzz.login_machine import LoginLives

FUZZ_S = float(os.environ.get("LOCKGATE_FUZZ_S", "0"))
ROUNDS = {"sqlite": 100, "postgresql": 15}
STEPS = 40
PHASES = [Phase.generate, Phase.shrink] if FUZZ_S else [Phase.generate]
"""To find the shortest life that shows a fault takes minutes, which `make test` does not have."""

SEEN = {"next", "same", "alarm", "nothing"}


@pytest.mark.parametrize("kind", ROUNDS)
def test_no_order_of_events_lets_an_ended_login_in_or_an_honest_client_out(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the memory of ended logins is swept at every chance, not only once it holds a thousand.
    monkeypatch.setattr(revocation, "SWEEP_MIN", 1)
    clock = SystemClock()
    until, rounds = clock.monotonic() + FUZZ_S, 0

    class Counted(LoginLives):
        seen: ClassVar[Counter[str]] = Counter()
        postgres = request.getfixturevalue("postgres") if kind == "postgresql" else None

    while rounds == 0 or clock.monotonic() < until:
        run_state_machine_as_test(
            Counted,
            settings=settings(
                max_examples=ROUNDS[kind],
                stateful_step_count=STEPS,
                database=None,
                deadline=None,
                phases=PHASES,
                suppress_health_check=list(HealthCheck),
            ),
        )
        rounds += 1

    print(f"{rounds * ROUNDS[kind]} lives on {kind}: {dict(Counted.seen.most_common())}")  # noqa: T201  # shown by make fuzz
    # A test in which nothing happens would show nothing.
    assert set(Counted.seen) >= SEEN
