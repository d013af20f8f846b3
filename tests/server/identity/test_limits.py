"""How often somebody may sign in, and what is told of it."""

import pytest
from structlog.testing import capture_logs

from server.identity.failures import TooManyLogins
from server.identity.limits import LoginLimits
from server.sections import IdentitySettings
from tests.support.clock import ManualClock
from tests.support.issuer import ALICE, BOB, ISSUER

HERE = "203.0.113.7"


def limits(clock: ManualClock, *, address: int = 3, subject: int = 2, keys: int = 100) -> LoginLimits:
    settings = IdentitySettings(
        logins_per_minute_per_address=address, logins_per_minute_per_subject=subject, login_limit_keys=keys
    )
    return LoginLimits(settings, clock)


def refused(limits: LoginLimits, address: str = HERE) -> int:
    """The seconds that are told to wait."""
    with pytest.raises(TooManyLogins) as raised:
        limits.admit_address(address)
    return raised.value.retry_after_s


def test_an_address_may_try_so_often_a_minute() -> None:
    clock = ManualClock()
    made = limits(clock)
    for _ in range(3):
        made.admit_address(HERE)

    assert refused(made) == 20
    clock.advance(0.5)
    assert refused(made) == 20
    clock.advance(19)
    assert refused(made) == 1
    clock.advance(0.5)
    made.admit_address(HERE)
    assert refused(made) == 20
    assert made.refused == {"address": 4, "subject": 0}


def test_addresses_do_not_share() -> None:
    made = limits(ManualClock(), address=1)

    made.admit_address(HERE)
    made.admit_address("203.0.113.8")

    assert made.keys == {"address": 2, "subject": 0}


def test_a_subject_is_counted_for_its_issuer() -> None:
    made = limits(ManualClock(), subject=1)

    made.admit_subject(ISSUER, ALICE)
    made.admit_subject(ISSUER, BOB)
    made.admit_subject("https://other.example", ALICE)

    with pytest.raises(TooManyLogins) as raised:
        made.admit_subject(ISSUER, ALICE)
    assert raised.value.retry_after_s == 60
    assert made.refused == {"address": 0, "subject": 1}


def test_zero_is_no_limit_and_costs_no_memory() -> None:
    made = limits(ManualClock(), address=0, subject=0)

    for _ in range(1000):
        made.admit_address(HERE)
        made.admit_subject(ISSUER, ALICE)

    assert made.keys == {"address": 0, "subject": 0}
    assert made.dropped == {"address": 0, "subject": 0}


def test_what_had_to_be_forgotten_is_counted() -> None:
    made = limits(ManualClock(), keys=2)

    for number in range(5):
        made.admit_address(f"203.0.113.{number}")

    assert made.keys["address"] == 2
    assert made.dropped == {"address": 3, "subject": 0}


def test_a_bucket_is_logged_once_a_minute() -> None:
    clock = ManualClock()
    made = limits(clock, address=1, subject=1)
    made.admit_address(HERE)
    made.admit_subject(ISSUER, ALICE)

    with capture_logs() as logs:
        for _ in range(5):
            refused(made)
        with pytest.raises(TooManyLogins):
            made.admit_subject(ISSUER, ALICE)

    assert logs == [
        {
            "event": "logins_limited",
            "log_level": "warning",
            "limit": "address",
            "address": HERE,
            "retry_after_s": 60,
        },
        {
            "event": "logins_limited",
            "log_level": "warning",
            "limit": "subject",
            "issuer": ISSUER,
            "subject": ALICE,
            "retry_after_s": 60,
        },
    ]
