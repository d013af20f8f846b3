"""The bridge: who a login belongs to, and what it may carry."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from server.identity.before_authenticate import BeforeAuthenticate, Hook
from server.identity.bridge import Bridge, Login
from server.identity.failures import (
    KeysUnavailable,
    NotFound,
    PlayerRefused,
    RequestInvalid,
    Unauthenticated,
)
from server.identity.identity import Identity
from server.identity.session_vars import MAX_BYTES
from server.identity.verify import RefusalReason
from server.sections import IdentitySettings
from server.tasks import TaskOwner
from tests.support import issuer
from tests.support.issuer import ALICE, BOB, ISSUER
from tests.support.site import IDENTITY, Gate, open_gate

OTHER = "https://other.example"
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


async def sign_in(
    gate: Gate,
    client_vars: dict[str, str] | None = None,
    *,
    create: bool = True,
    wanted: str | None = None,
    **claims: Any,
) -> Login:
    token = issuer.token(gate.clock.wall(), **claims)
    return await gate.bridge.login(token, client_vars or {}, create=create, wanted_username=wanted)


async def test_the_first_login_makes_an_account_and_the_second_finds_it(gate: Gate) -> None:
    first = await sign_in(gate)
    second = await sign_in(gate)

    assert (first.created, second.created) == (True, False)
    assert first.user_id == second.user_id == ALICE
    assert first.username == "alice"
    assert first.family_id != second.family_id


async def test_a_hundred_simultaneous_first_logins_make_one_account(gate: Gate) -> None:
    logins = await asyncio.gather(*(sign_in(gate) for _ in range(100)))

    assert {login.user_id for login in logins} == {ALICE}
    assert sum(login.created for login in logins) == 1
    assert len({login.family_id for login in logins}) == 100


async def test_two_processes_on_one_database_make_one_account_each_subject(
    tmp_path: Path, database_url: str
) -> None:
    async with open_gate(tmp_path, url=database_url) as one, open_gate(tmp_path, url=database_url) as two:
        subjects = [str(uuid.UUID(int=number + 1)) for number in range(20)]

        logins = await asyncio.gather(
            *(sign_in(gate, sub=subject) for subject in subjects for gate in (one, two, one))
        )

    assert {login.user_id for login in logins} == set(subjects)
    assert sum(login.created for login in logins) == 20
    assert len({login.username for login in logins}) == 20


@pytest.mark.parametrize(
    "subject",
    [
        "auth0|12345",
        "00000000-0000-0000-0000-000000000000",
        ALICE.upper(),
        "{" + ALICE + "}",
        "urn:uuid:" + ALICE,
        ALICE.replace("-", ""),
        ALICE + "0",
        "\u0665" + ALICE[1:],
    ],
)
async def test_a_subject_that_is_no_canonical_uuid_text_gets_a_derived_id(gate: Gate, subject: str) -> None:
    login = await sign_in(gate, sub=subject)

    assert login.user_id == str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, ISSUER), subject))


async def test_the_same_subject_of_another_issuer_is_another_account(gate: Gate) -> None:
    mine = await sign_in(gate)
    theirs = await sign_in(gate, iss=OTHER)
    again = await sign_in(gate, iss=OTHER)

    assert mine.user_id == ALICE
    assert theirs.user_id == str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, OTHER), ALICE))
    assert again.user_id == theirs.user_id


async def test_an_id_that_was_derived_for_one_player_is_not_given_to_a_subject_that_spells_it(
    gate: Gate,
) -> None:
    victim = await sign_in(gate, sub="auth0|victim")
    attacker = await sign_in(gate, iss=OTHER, sub=victim.user_id)

    assert attacker.user_id != victim.user_id


async def test_a_player_whose_derived_id_was_taken_by_another_issuer_gets_an_account_of_their_own(
    gate: Gate,
) -> None:
    derived = str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, ISSUER), "auth0|victim"))
    squatter = await sign_in(gate, iss=OTHER, sub=derived)
    victim = await sign_in(gate, sub="auth0|victim")
    again = await sign_in(gate, sub="auth0|victim")

    assert squatter.user_id == derived
    assert victim.user_id not in (derived, "auth0|victim")
    assert again.user_id == victim.user_id


async def test_a_taken_name_gets_a_suffix(gate: Gate) -> None:
    first = await sign_in(gate)
    second = await sign_in(gate, sub=BOB)

    assert first.username == "alice"
    assert second.username.startswith("alice-")
    assert len(second.username) == len("alice-") + 6


async def test_a_suffix_keeps_a_long_name_within_its_limit(gate: Gate) -> None:
    name = "ü" * 64
    await sign_in(gate, username=name)
    second = await sign_in(gate, sub=BOB, username=name)

    assert len(second.username.encode()) <= 128
    assert second.username.startswith("ü" * 60 + "-")


@pytest.mark.parametrize("name", [None, "", "a\nb", "x" * 129, 7, ["alice"]])
async def test_an_unusable_name_claim_never_fails_a_login(gate: Gate, name: object) -> None:
    login = await sign_in(gate, username=name)

    assert login.username.isalpha()
    assert len(login.username) == 10


async def test_the_name_is_taken_at_creation_only(gate: Gate) -> None:
    await sign_in(gate)
    renamed = await sign_in(gate, username="queen")

    assert renamed.username == "alice"


async def test_a_display_name_is_taken_at_creation_only_and_only_if_asked_for(
    gate: Gate, tmp_path: Path
) -> None:
    unasked = await sign_in(gate, sub=BOB, name="Bob")
    named = issuer.SETTINGS.model_copy(update={"display_name_claim": "name"})
    async with open_gate(
        tmp_path / "named", identity=IDENTITY.model_copy(update={"issuers": (named,)})
    ) as asking:
        first = await sign_in(asking, name="Ada Lovelace")
        await sign_in(asking, name="Queen")
        odd = await sign_in(asking, sub=BOB, name=["Bob"])
        accounts = [await asking.store.account(login.user_id) for login in (first, odd)]
    silent = await gate.store.account(unasked.user_id)

    assert [account.display_name for account in accounts if account] == ["Ada Lovelace", ""]
    assert silent is not None
    assert silent.display_name == ""


def asking(gate: Gate, hook: Hook, timeout_s: float = 60) -> Bridge:
    fence = BeforeAuthenticate(hook, timeout_s, TaskOwner("test"))
    return Bridge(
        IDENTITY, issuer.fixed_keys(), gate.store, gate.tokens, gate.revocations, gate.clock, gate.ids, fence
    )


async def test_the_game_may_refuse_a_verified_player_before_anything_is_written(gate: Gate) -> None:
    asked: list[Identity] = []

    async def hook(identity: Identity) -> str:
        asked.append(identity)
        return "Closed beta."

    bridge = asking(gate, hook)
    good = issuer.token(gate.clock.wall(), custom_role="guest")
    forged = issuer.token(gate.clock.wall(), key=issuer.rsa_key(number=1))

    with pytest.raises(PlayerRefused, match=r"Closed beta\."):
        await bridge.login(good, {}, create=True, wanted_username=None)
    with pytest.raises(Unauthenticated):
        await bridge.login(forged, {}, create=True, wanted_username=None)
    assert asked == [Identity(ISSUER, ALICE, {"username": "alice", "custom_role": "guest"})]
    assert await gate.store.account(ALICE) is None


async def test_a_player_whom_the_game_lets_in_is_signed_in(gate: Gate) -> None:
    login = await asking(gate, lambda _identity: None).login(
        issuer.token(gate.clock.wall()), {}, create=True, wanted_username=None
    )

    assert login.user_id == ALICE


async def test_each_refusal_is_counted_by_its_reason(gate: Gate) -> None:
    await sign_in(gate)
    for changed in ({"sub": ""}, {"exp": 0}, {"exp": 0}, {"iss": "x"}):
        with pytest.raises(Unauthenticated):
            await sign_in(gate, **changed)

    counted = {reason: count for reason, count in gate.bridge.refused.items() if count}
    assert gate.bridge.accepted == 1
    assert counted == {RefusalReason.SUBJECT: 1, RefusalReason.EXPIRED: 2, RefusalReason.ISSUER: 1}
    assert set(gate.bridge.refused) == set(RefusalReason)


async def test_a_wanted_name_is_ignored_unless_allowed(gate: Gate, tmp_path: Path) -> None:
    ignored = await sign_in(gate, wanted="admin\n")
    allowing = Bridge(
        IDENTITY.model_copy(update={"allow_client_username": True}),
        issuer.fixed_keys(),
        gate.store,
        gate.tokens,
        gate.revocations,
        gate.clock,
        gate.ids,
    )
    token = issuer.token(gate.clock.wall(), sub=BOB)
    taken = await allowing.login(token, {}, create=True, wanted_username="bob the 1st")

    assert ignored.username == "alice"
    assert taken.username == "bob the 1st"
    with pytest.raises(RequestInvalid, match="1-128 bytes"):
        await allowing.login(token, {}, create=True, wanted_username="b" * 129)


async def test_without_create_an_unknown_player_is_not_found_and_nothing_is_written(gate: Gate) -> None:
    with pytest.raises(NotFound, match=r"User account not found\."):
        await sign_in(gate, create=False)

    assert await gate.store.account(ALICE) is None


async def test_a_claim_var_cannot_be_set_by_the_client(gate: Gate) -> None:
    client_vars = {"role": "admin", "region": "eu"}
    with_claim = await sign_in(gate, client_vars, custom_role="guest")
    without = await sign_in(gate, client_vars)
    elsewhere = await sign_in(gate, client_vars, iss=OTHER)

    assert vars_of(gate, with_claim) == {"region": "eu", "role": "guest"}
    assert vars_of(gate, without) == {"region": "eu"}
    assert vars_of(gate, elsewhere) == {"region": "eu"}


async def test_a_claim_that_is_no_text_becomes_json(gate: Gate) -> None:
    login = await sign_in(gate, custom_role=["a", {"b": 1}])

    assert vars_of(gate, login) == {"role": '["a",{"b":1}]'}


async def test_a_list_of_groups_becomes_json_so_that_a_comma_in_a_name_divides_nothing(
    tmp_path: Path,
    database_url: str,
) -> None:
    cognito = issuer.SETTINGS.model_copy(update={"claims_to_vars": {"groups": "cognito:groups"}})
    async with open_gate(tmp_path, url=database_url, identity=IdentitySettings(issuers=(cognito,))) as gate:
        few: dict[str, Any] = {"cognito:groups": ["a,b", "ü"]}
        login = await sign_in(gate, {"groups": '["admin"]'}, **few)
        many: dict[str, Any] = {"cognito:groups": [f"group-{number:04}" for number in range(200)]}
        with pytest.raises(RequestInvalid, match="too large"):
            await sign_in(gate, **many)

        assert vars_of(gate, login) == {"groups": '["a,b","ü"]'}


async def test_vars_are_taken_up_to_two_kibibytes_encoded(gate: Gate) -> None:
    room = MAX_BYTES - len(json.dumps({"k": ""}, separators=(",", ":")))
    login = await sign_in(gate, {"k": "x" * room})

    assert len(login.token) < 8000 - len("GET /ws?token= HTTP/1.1")
    with pytest.raises(RequestInvalid):
        await sign_in(gate, {"k": "x" * (room + 1)})


@pytest.mark.parametrize("id_token", [None, "", 7, True, [], {}])
async def test_an_id_that_is_no_text_is_required(gate: Gate, id_token: object) -> None:
    with pytest.raises(RequestInvalid, match=r"Custom ID is required\."):
        await gate.bridge.login(id_token, {}, create=True, wanted_username=None)


@pytest.mark.parametrize("id_token", [" ", "plain-custom-id-0001", "a.b.c", "x" * 20_000, "\ud800.a.b" * 5])
async def test_a_plain_custom_id_is_refused(gate: Gate, id_token: str) -> None:
    with pytest.raises(Unauthenticated, match="Identity token invalid"):
        await gate.bridge.login(id_token, {}, create=True, wanted_username=None)


async def test_keys_that_cannot_be_had_are_not_the_tokens_fault(tmp_path: Path, database_url: str) -> None:
    keys = issuer.fixed_keys()
    keys.failure = KeysUnavailable(7)

    async with open_gate(tmp_path, url=database_url, keys=keys) as gate:
        with pytest.raises(KeysUnavailable):
            await sign_in(gate)


async def test_what_was_decided_is_logged_without_the_token(gate: Gate) -> None:
    good = issuer.token(gate.clock.wall())
    bad = issuer.token(gate.clock.wall(), kid="k" * 256, iss="https://evil.example/" + "e" * 100)

    structlog.reset_defaults()
    with capture_logs() as logs:
        login = await gate.bridge.login(good, {}, create=True, wanted_username=None)
        with pytest.raises(Unauthenticated):
            await gate.bridge.login(bad, {}, create=True, wanted_username=None)

    accepted, issued, refused = logs
    assert (accepted["event"], accepted["issuer"]) == ("identity_accepted", ISSUER)
    assert (issued["event"], issued["user_id"], issued["family_id"]) == (
        "session_issued",
        ALICE,
        login.family_id,
    )
    assert issued["created"] is True
    assert (refused["event"], refused["reason"], refused["issuer"]) == ("identity_refused", "issuer", None)
    assert len(refused["kid"]) == 64
    assert all(part not in json.dumps(logs) for part in (*good.split("."), *bad.split("."), login.token))


async def test_tokens_do_not_show_in_a_repr(gate: Gate) -> None:
    login = await sign_in(gate)

    assert login.token not in repr(login)
    assert login.refresh_token not in repr(login)
    assert "secret" not in repr(gate.keys)


def vars_of(gate: Gate, login: Login) -> dict[str, str]:
    claims = gate.tokens.check_session(login.token)
    assert claims is not None
    return dict(claims.vars)
