"""The plan's way is taken, and what it lacks is told."""

import aiohttp
import pytest

from loadtest.failures import SwarmError
from loadtest.plan import Plan, SignIn
from loadtest.sign_in.cognito import Cognito
from loadtest.sign_in.ways import sign_in_of


async def test_a_device_needs_no_provider() -> None:
    async with aiohttp.ClientSession() as http:
        credential = await sign_in_of(Plan(sign_in=SignIn(way="device")), http).credential("a")

    assert credential.route == "device"
    assert len(credential.body["id"]) >= 10


async def test_cognito_needs_a_client_id() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SwarmError, match="client id"):
            sign_in_of(Plan(sign_in=SignIn(way="cognito")), http)

        way = sign_in_of(Plan(sign_in=SignIn(way="cognito", client_id="c")), http)

    assert isinstance(way, Cognito)


def test_the_password_is_not_told() -> None:
    assert "s3cret" not in str(Plan(sign_in=SignIn(password="s3cret")).tell())
