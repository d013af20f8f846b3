"""Frames that wait count their own bytes alone here, so that sums can be read; one test says the rest."""

from collections.abc import Iterator

import pytest

from server.sessions import backlog


@pytest.fixture(autouse=True, scope="package")
def frames_count_their_bytes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog, "ENTRY_BYTES", 0)
        yield
