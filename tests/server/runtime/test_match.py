"""What a match does where its author wrote nothing."""

import pytest

from server.runtime import Match
from server.runtime.testing import Table


class Quiet(Match):
    def tick(self, inputs: object) -> None:
        pass


def test_only_tick_must_be_written() -> None:
    table = Table(Quiet, {"any": "thing"})
    alice = table.join("alice", {"team": "red"})
    table.tick(3)
    alice.leave()
    table.terminate(5)

    assert (table.signal("x"), table.label, table.over) == ("", "", None)


def test_without_it_a_match_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Table(Match).tick()
