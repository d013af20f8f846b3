"""A proof holds for one secret, one role and one pair of nonces."""

import pytest

from loadtest.lending import proof, proves

GIVEN = proof("secret", "coordinator", "a", "b")


def test_a_proof_of_the_same_is_right() -> None:
    assert proves(GIVEN, "secret", "coordinator", "a", "b")
    assert len(GIVEN) == 64


@pytest.mark.parametrize(
    ("secret", "role", "agent", "coordinator"),
    [
        ("Secret", "coordinator", "a", "b"),
        ("", "coordinator", "a", "b"),
        ("secret", "agent", "a", "b"),
        ("secret", "coordinator", "b", "a"),
        ("secret", "coordinator", "a", "c"),
        ("secret", "coordinator", "", "b"),
    ],
)
def test_a_proof_of_anything_else_is_wrong(secret: str, role: str, agent: str, coordinator: str) -> None:
    assert not proves(GIVEN, secret, role, agent, coordinator)  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("given", ["", "é", "\udcff", GIVEN[:-1], GIVEN.upper()])
def test_nonsense_proves_nothing(given: str) -> None:
    assert not proves(given, "secret", "coordinator", "a", "b")
