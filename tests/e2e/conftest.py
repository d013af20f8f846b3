"""The identity providers, the SDK and the browser that the end-to-end tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chromium import BrowserMissing, find_chromium
from tests.support.cognito import Cognito, make_pools, running_moto
from tests.support.node import PackagesMissing, install_packages
from tests.support.oidc import FOLDER

SDK = Path(__file__).parent / "sdk"


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of moto's server, run as its own process on a free port."""
    with running_moto() as url:
        yield url


@pytest.fixture(scope="session")
def cognito(moto: str) -> Cognito:
    """Two user pools with a player in each."""
    return make_pools(moto)


@pytest.fixture(scope="session")
def oidc_packages() -> None:
    """What the OpenID provider is made of, installed."""
    try:
        install_packages(FOLDER)
    except PackagesMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"npm cannot install oidc-provider here: {missing}")


@pytest.fixture(scope="session")
def sdk() -> Path:
    """The folder of the JavaScript SDK's stories, with the SDK installed."""
    try:
        install_packages(SDK)
    except PackagesMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"npm cannot install nakama-js here: {missing}")
    return SDK


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    try:
        return find_chromium()
    except BrowserMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"there is no Chromium here: {missing}")
