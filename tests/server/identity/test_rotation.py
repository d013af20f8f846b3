"""The rule of rotation, case by case."""

from dataclasses import replace

import pytest

from server.identity.rotation import Verdict, judge
from server.storage.families import Family, MadeOf, Terms

NOW = 1_800_000_000
ABSOLUTE = NOW + 90 * 86_400
MADE_OF = MadeOf(5, {}, NOW, Terms("s", "r", NOW + 7200, NOW + 14 * 86_400))
FAMILY = Family("family", "alice", "alice", "alice", {}, NOW - 100, ABSOLUTE, False, MADE_OF)


@pytest.mark.parametrize(
    ("gen", "after_s", "verdict"),
    [
        (5, 0, Verdict.ROTATE),
        (5, 86_400, Verdict.ROTATE),
        (4, 0, Verdict.REPEAT),
        (4, 30, Verdict.REPEAT),
        (4, 30.001, Verdict.REUSE),
        (4, -3600, Verdict.REPEAT),
        (3, 0, Verdict.REUSE),
        (3, -3600, Verdict.REUSE),
        (0, 0, Verdict.REUSE),
        (6, 0, Verdict.OVER),
        (5, ABSOLUTE - NOW - 1, Verdict.ROTATE),
        (5, ABSOLUTE - NOW, Verdict.OVER),
        (3, ABSOLUTE - NOW, Verdict.OVER),
    ],
)
def test_the_generation_and_the_time_since_the_rotation_decide(
    gen: int, after_s: float, verdict: Verdict
) -> None:
    assert judge(FAMILY, "alice", gen, now=NOW + after_s, grace_s=30) is verdict


@pytest.mark.parametrize("gen", [3, 4, 5, 6])
def test_a_login_that_has_ended_is_over_also_within_the_grace_time(gen: int) -> None:
    revoked = replace(FAMILY, revoked=True)

    assert judge(revoked, "alice", gen, now=NOW, grace_s=30) is Verdict.OVER
    assert judge(None, "alice", gen, now=NOW, grace_s=30) is Verdict.OVER
    assert judge(FAMILY, "bob", gen, now=NOW, grace_s=30) is Verdict.OVER


def test_without_grace_a_repeat_counts_as_theft_as_soon_as_time_has_passed() -> None:
    assert judge(FAMILY, "alice", 4, now=NOW + 0.5, grace_s=0) is Verdict.REUSE
    assert judge(FAMILY, "alice", 4, now=NOW, grace_s=0) is Verdict.REPEAT
