"""A site that listens, for every test of `web`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.site import Site, open_gate, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_gate(tmp_path) as gate, running_site(gate) as running:
        yield running
