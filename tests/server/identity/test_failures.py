"""Failures say what may be told, and nothing else."""

import pytest

from server.identity.failures import (
    Denied,
    InUse,
    KeysUnavailable,
    NotAllowed,
    NotFound,
    RequestInvalid,
    TokensNotKept,
    TooManyLogins,
    Unauthenticated,
)


@pytest.mark.parametrize("kind", [RequestInvalid, Unauthenticated, NotFound, InUse, NotAllowed])
def test_a_failure_is_caught_as_a_denial_with_its_text(kind: type[Denied]) -> None:
    with pytest.raises(Denied) as denied:
        raise kind("Told outside.")

    assert denied.value.message == str(denied.value) == "Told outside."


def test_what_may_work_later_says_when() -> None:
    assert KeysUnavailable().retry_after_s == 1
    assert KeysUnavailable(60).retry_after_s == 60
    assert TokensNotKept().retry_after_s == 60
    assert TooManyLogins(7).retry_after_s == 7
