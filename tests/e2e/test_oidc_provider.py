"""A real OpenID provider, found by discovery, in front of the whole server: alone, and beside Cognito."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.identity.jwks_cache import SOFT_LIFE_S
from server.sections import IdentitySettings, IssuerSettings
from tests.support.clock import ForwardClock
from tests.support.cognito import Cognito
from tests.support.inprocess import Live, running
from tests.support.oidc import AUDIENCE, OTHER_RESOURCE, RESOURCES, OidcProvider, running_provider

ALGORITHMS = sorted(RESOURCES)


def issuer_settings(provider: OidcProvider) -> IssuerSettings:
    """No `jwks_url`: the keys are found by OpenID discovery."""
    return IssuerSettings(
        issuer=provider.issuer, audiences=(AUDIENCE,), token_use="", algorithms=("RS256", "ES256")
    )


def identity(*issuers: IssuerSettings) -> IdentitySettings:
    """All logins come from one address and a few subjects, so these are not limited."""
    return IdentitySettings(issuers=issuers, logins_per_minute_per_address=0, logins_per_minute_per_subject=0)


@pytest.fixture
async def provider(oidc_packages: None) -> AsyncIterator[OidcProvider]:
    async with running_provider() as started:
        yield started


@pytest.fixture
def clock() -> ForwardClock:
    return ForwardClock()


@pytest.fixture
async def server(tmp_path: Path, provider: OidcProvider, clock: ForwardClock) -> AsyncIterator[Live]:
    async with running(tmp_path, identity=identity(issuer_settings(provider)), clock=clock) as live:
        yield live


async def offer(server: Live, token: str) -> tuple[int, dict[str, str]]:
    """Show this to the bridge."""
    return await server.ask("POST", "/v2/account/authenticate/custom", server.server_key, {"id": token})


async def refusal(server: Live, token: str) -> str:
    """Why the bridge refuses this; the answer itself does not tell."""
    with capture_logs() as events:
        status, answer = await offer(server, token)

    assert (status, answer) == (401, {"code": 16, "message": "Identity token invalid"})
    return str(next(event["reason"] for event in events if event["event"] == "identity_refused"))


async def player(server: Live, token: str) -> tuple[str, str]:
    """Id and name of the account that the bridge signs this in to."""
    status, pair = await offer(server, token)
    assert status == 200, pair
    status, account = await server.ask("GET", "/v2/account", f"Bearer {pair['token']}")
    assert status == 200, account
    user = account["user"]
    assert isinstance(user, dict)
    return user["id"], user["username"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_both_ways_to_sign_in_lead_to_one_account_and_a_socket(
    server: Live, provider: OidcProvider, algorithm: str
) -> None:
    by_code = await provider.token_by_code("alice", RESOURCES[algorithm])
    by_device = await provider.token_by_device("alice", RESOURCES[algorithm])

    account, name = await player(server, by_code)

    assert name == "alice"
    assert (await player(server, by_device))[0] == account
    _, pair = await offer(server, by_device)
    socket = await server.open(pair["token"])
    await socket.hang_up()


async def test_a_machine_that_signed_in_for_itself_is_no_player(server: Live, provider: OidcProvider) -> None:
    token = await provider.machine_token(RESOURCES["RS256"])

    assert await refusal(server, token) == "subject"


async def test_a_token_for_another_audience_is_refused(server: Live, provider: OidcProvider) -> None:
    token = await provider.token_by_code("alice", OTHER_RESOURCE)

    assert await refusal(server, token) == "audience"


async def test_an_algorithm_that_is_not_configured_is_refused(tmp_path: Path, provider: OidcProvider) -> None:
    settings = issuer_settings(provider).model_copy(update={"algorithms": ("RS256",)})
    token = await provider.token_by_code("alice", RESOURCES["ES256"])

    async with running(tmp_path, identity=identity(settings)) as server:
        assert await refusal(server, token) == "algorithm"


async def test_a_provider_that_is_not_configured_is_refused(
    server: Live, provider: OidcProvider, oidc_packages: None
) -> None:
    async with running_provider() as stranger:
        token = await stranger.token_by_code("alice", RESOURCES["RS256"])

        assert await refusal(server, token) == "issuer"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_rotation_of_keys_is_followed(
    server: Live, provider: OidcProvider, clock: ForwardClock, algorithm: str
) -> None:
    old = await provider.token_by_code("alice", RESOURCES[algorithm])
    account, _ = await player(server, old)

    await provider.rotate()
    new = await provider.token_by_code("alice", RESOURCES[algorithm])

    assert (await player(server, new))[0] == account, "a new key is found at once"
    assert (await player(server, old))[0] == account, "an old key is good while it is published"

    await provider.drop_old_keys()
    clock.jump(2 * SOFT_LIFE_S)

    # The refresh goes on behind the first login that notices: nobody waits for it.
    async with asyncio.timeout(10):
        while (await offer(server, old))[0] == 200:
            pass
    assert await refusal(server, old) == "unknown_key"
    assert (await player(server, new))[0] == account


async def test_no_providers_token_passes_as_ours_nor_the_reverse(
    server: Live, provider: OidcProvider
) -> None:
    foreign = await provider.token_by_code("alice", RESOURCES["RS256"])
    _, pair = await offer(server, foreign)

    assert (await server.ask("GET", "/v2/account", f"Bearer {foreign}"))[0] == 401
    refresh = "/v2/account/session/refresh"
    assert (await server.ask("POST", refresh, server.server_key, {"token": foreign}))[0] == 401
    socket = await server.dial()
    assert (await socket.upgrade(f"/ws?token={foreign}")).status == 401
    await socket.hang_up()
    for ours in (pair["token"], pair["refresh_token"]):
        assert (await offer(server, ours))[0] == 401


async def test_one_subject_at_two_providers_is_two_players(
    tmp_path: Path, provider: OidcProvider, cognito: Cognito
) -> None:
    pool = IssuerSettings(issuer=cognito.issuer, jwks_url=cognito.jwks_url, client_ids=(cognito.client,))
    tokens = await asyncio.to_thread(cognito.sign_in)

    async with running(tmp_path, identity=identity(pool, issuer_settings(provider))) as server:
        at_cognito, name = await player(server, tokens["AccessToken"])
        other = await provider.token_by_code(at_cognito, RESOURCES["ES256"])

        at_provider, _ = await player(server, other)
        assert at_provider != at_cognito
        assert name == "alice"
        assert await player(server, tokens["AccessToken"]) == (at_cognito, name)
        assert (await server.ask("GET", "/v2/account", f"Bearer {tokens['AccessToken']}"))[0] == 401
