"""Several identities of one account."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.identity.failures import InUse, NotAllowed, NotFound, RequestInvalid, Unauthenticated
from tests.support import issuer
from tests.support.issuer import ALICE, BOB, ISSUER
from tests.support.site import IDENTITY, Gate, open_gate

OTHER = "https://other.example"
CAROL = "3f0c3b0e-7d5a-4b52-9a3e-1f2c3d4e5f60"
TWO_ISSUERS = IDENTITY.model_copy(
    update={
        "issuers": (
            issuer.SETTINGS,
            issuer.SETTINGS.model_copy(update={"issuer": OTHER, "claims_to_vars": {}}),
        )
    }
)


@pytest.fixture
async def gate(tmp_path: Path, database_url: str) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, url=database_url, identity=TWO_ISSUERS) as opened:
        yield opened


def token(gate: Gate, **claims: Any) -> str:
    return issuer.token(gate.clock.wall(), **claims)


async def sign_in(gate: Gate, **claims: Any) -> str:
    """The account's id."""
    login = await gate.bridge.login(token(gate, **claims), {}, create=True, wanted_username=None)
    return login.user_id


async def custom_id(gate: Gate, user_id: str) -> str:
    account = await gate.store.account(user_id)
    assert account is not None
    return account.subject


async def test_a_linked_identity_signs_in_to_the_same_account(gate: Gate) -> None:
    alice = await sign_in(gate)

    with capture_logs() as logs:
        await gate.links.link(alice, token(gate, iss=OTHER, sub="other|alice"))

    assert await sign_in(gate, iss=OTHER, sub="other|alice") == alice
    assert await sign_in(gate) == alice
    assert logs[-1] == {
        "event": "identity_linked",
        "log_level": "info",
        "user_id": alice,
        "issuer": OTHER,
        "subject": "other|alice",
    }
    assert gate.links.linked == 1


async def test_the_same_subject_at_two_issuers_is_two_accounts_until_linked(gate: Gate) -> None:
    here = await sign_in(gate, sub="same")
    there = await sign_in(gate, iss=OTHER, sub="same")

    assert here != there
    with pytest.raises(InUse):
        await gate.links.link(here, token(gate, iss=OTHER, sub="same"))

    with_both = await sign_in(gate, sub="both")
    await gate.links.link(with_both, token(gate, iss=OTHER, sub="both"))
    assert await sign_in(gate, iss=OTHER, sub="both") == with_both


async def test_an_identity_of_another_account_is_in_use(gate: Gate) -> None:
    alice, bob = await sign_in(gate), await sign_in(gate, sub=BOB)

    with pytest.raises(InUse, match=r"^Custom ID is already in use\.$"):
        await gate.links.link(alice, token(gate, sub=BOB))

    assert await sign_in(gate, sub=BOB) == bob
    assert gate.links.linked == 0


async def test_linking_what_is_linked_changes_nothing(gate: Gate) -> None:
    alice = await sign_in(gate)
    await gate.links.link(alice, token(gate, sub=BOB))
    before = await gate.store.account(alice)
    gate.clock.advance(60)

    await gate.links.link(alice, token(gate, sub=BOB))
    await gate.links.link(alice, token(gate))

    assert await gate.store.account(alice) == before
    assert gate.links.linked == 1


async def test_the_first_identity_stays_the_custom_id(gate: Gate) -> None:
    alice = await sign_in(gate)
    await gate.links.link(alice, token(gate, sub="00-before-in-the-alphabet"))
    await gate.links.link(alice, token(gate, sub="00-even-before"))

    assert await custom_id(gate, alice) == ALICE
    await gate.links.unlink(alice, token(gate))
    assert await custom_id(gate, alice) == "00-before-in-the-alphabet"


async def test_linking_is_a_change_of_the_account(gate: Gate) -> None:
    alice = await sign_in(gate)
    gate.clock.advance(60)

    await gate.links.link(alice, token(gate, sub=BOB))

    account = await gate.store.account(alice)
    assert account is not None
    assert account.update_time - account.create_time == 60


async def test_an_unlinked_identity_starts_anew(gate: Gate) -> None:
    alice = await sign_in(gate)
    await gate.links.link(alice, token(gate, sub=BOB))

    with capture_logs() as logs:
        await gate.links.unlink(alice, token(gate, sub=BOB))

    assert await sign_in(gate, sub=BOB) == BOB != alice
    assert logs[-1] == {
        "event": "identity_unlinked",
        "log_level": "info",
        "user_id": alice,
        "issuer": ISSUER,
        "subject": BOB,
        "families": 0,
    }
    assert gate.links.unlinked == 1


async def test_who_gave_the_account_its_id_may_leave_and_gets_another_one(gate: Gate) -> None:
    alice = await sign_in(gate)
    await gate.links.link(alice, token(gate, sub=BOB))
    await gate.links.unlink(alice, token(gate))

    again = await sign_in(gate)

    assert alice == ALICE != again
    assert await sign_in(gate, sub=BOB) == alice


async def test_the_last_identity_cannot_be_unlinked(gate: Gate) -> None:
    alice = await sign_in(gate)

    with pytest.raises(NotAllowed, match=r"^Cannot unlink last account identifier"):
        await gate.links.unlink(alice, token(gate))

    assert await sign_in(gate) == alice
    assert gate.links.unlinked == 0


async def test_an_identity_of_nobody_or_of_another_cannot_be_unlinked(gate: Gate) -> None:
    alice, bob = await sign_in(gate), await sign_in(gate, sub=BOB)
    await gate.links.link(alice, token(gate, sub="second"))
    await gate.links.link(bob, token(gate, sub="third"))

    for subject in (BOB, "third", "nobody"):
        with pytest.raises(NotAllowed, match=r"^Cannot unlink last account identifier"):
            await gate.links.unlink(alice, token(gate, sub=subject))

    assert await sign_in(gate, sub="third") == bob


async def test_of_two_accounts_that_link_one_identity_at_once_one_gets_it(
    tmp_path: Path, database_url: str
) -> None:
    async with (
        open_gate(tmp_path, url=database_url, identity=TWO_ISSUERS) as one,
        open_gate(tmp_path, url=database_url, identity=TWO_ISSUERS) as two,
    ):
        alice, bob = await sign_in(one), await sign_in(one, sub=BOB)
        subjects = [f"wanted {number}".replace(" ", "-") for number in range(10)]

        outcomes = await asyncio.gather(
            *(
                gate.links.link(user, token(gate, sub=subject))
                for subject in subjects
                for gate, user in ((one, alice), (two, bob))
            ),
            return_exceptions=True,
        )
        owners = [await sign_in(two, sub=subject) for subject in subjects]

    assert [outcome for outcome in outcomes if outcome is None] == [None] * 10
    assert sum(isinstance(outcome, InUse) for outcome in outcomes) == 10
    assert set(owners) <= {alice, bob}
    winners = [alice if outcomes[2 * number] is None else bob for number in range(10)]
    assert owners == winners


async def test_a_link_and_a_first_login_of_one_identity_at_once_agree(gate: Gate) -> None:
    alice = await sign_in(gate)

    linked, signed_in = await asyncio.gather(
        gate.links.link(alice, token(gate, sub=CAROL)), sign_in(gate, sub=CAROL), return_exceptions=True
    )

    owner = await sign_in(gate, sub=CAROL)
    assert signed_in == owner
    assert (linked is None) == (owner == alice)


async def test_of_simultaneous_unlinks_one_identity_is_left(tmp_path: Path, database_url: str) -> None:
    async with (
        open_gate(tmp_path, url=database_url, identity=TWO_ISSUERS) as one,
        open_gate(tmp_path, url=database_url, identity=TWO_ISSUERS) as two,
    ):
        alice = await sign_in(one)
        await one.links.link(alice, token(one, sub=BOB))

        outcomes = await asyncio.gather(
            one.links.unlink(alice, token(one)),
            two.links.unlink(alice, token(two, sub=BOB)),
            one.links.unlink(alice, token(one, sub=BOB)),
            two.links.unlink(alice, token(two)),
            return_exceptions=True,
        )

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NotAllowed) for outcome in outcomes) == 3


async def test_an_account_has_only_so_many_identities(tmp_path: Path, database_url: str) -> None:
    few = TWO_ISSUERS.model_copy(update={"identities_per_account": 2})
    async with open_gate(tmp_path, url=database_url, identity=few) as gate:
        alice = await sign_in(gate)
        await gate.links.link(alice, token(gate, sub="second"))

        with pytest.raises(RequestInvalid, match="at most 2"):
            await gate.links.link(alice, token(gate, sub="third"))

        await gate.links.link(alice, token(gate, sub="second"))
        await gate.links.unlink(alice, token(gate, sub="second"))
        await gate.links.link(alice, token(gate, sub="third"))


async def test_nothing_is_linked_to_an_account_that_is_gone(gate: Gate) -> None:
    with pytest.raises(NotFound):
        await gate.links.link("no account", token(gate))
    with pytest.raises(NotAllowed):
        await gate.links.unlink("no account", token(gate))


@pytest.mark.parametrize(
    ("shown", "failure"),
    [
        (None, RequestInvalid),
        ("", RequestInvalid),
        (7, RequestInvalid),
        ("a-plain-custom-id-of-the-reference", Unauthenticated),
    ],
)
async def test_only_a_verified_token_links_or_unlinks(
    gate: Gate, shown: object, failure: type[Exception]
) -> None:
    alice = await sign_in(gate)

    for call in (gate.links.link, gate.links.unlink):
        with pytest.raises(failure):
            await call(alice, shown)


async def test_an_expired_token_links_nothing(gate: Gate) -> None:
    alice = await sign_in(gate)
    stale = token(gate, sub=BOB)
    gate.clock.advance(3700)

    with pytest.raises(Unauthenticated):
        await gate.links.link(alice, stale)
