"""The deny list: how long it remembers."""

from server.identity.revocation import Revocations
from server.storage.families import Revoked
from tests.support.clock import ManualClock


def test_the_deny_list_forgets_families_whose_tokens_are_over() -> None:
    clock = ManualClock()
    revocations = Revocations(clock)
    now = int(clock.wall())
    revocations.add(Revoked(f"old-{index}", now + 10) for index in range(1000))
    clock.advance(11)
    revocations.add(Revoked(f"new-{index}", now + 100) for index in range(100))

    assert len(revocations) == 100
    assert revocations.is_revoked("new-0")
    assert not revocations.is_revoked("old-0")


def test_a_revocation_is_remembered_for_the_longest_of_its_tokens() -> None:
    clock = ManualClock()
    revocations = Revocations(clock)
    now = int(clock.wall())
    revocations.add([Revoked("family", now + 100), Revoked("family", now + 10)])
    clock.advance(50)
    revocations.add(Revoked(str(index), now + 200) for index in range(2000))

    assert revocations.is_revoked("family")
