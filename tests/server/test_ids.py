"""Ids: their forms, and that no two are alike."""

import hashlib
import re
import uuid

from server.ids import RandomIds

IDS = RandomIds("node1")


def test_a_session_id_names_its_node() -> None:
    parsed = uuid.UUID(IDS.session_id())

    assert parsed.version == 1
    assert parsed.node.to_bytes(6) == hashlib.sha1(b"node1").digest()[:6]
    assert uuid.UUID(RandomIds("node2").session_id()).node != parsed.node


def test_session_ids_drawn_at_once_differ() -> None:
    assert len({IDS.session_id() for _ in range(10_000)}) == 10_000


def test_a_random_id_is_a_canonical_version_4_uuid() -> None:
    drawn = IDS.uuid4()

    assert drawn == str(uuid.UUID(drawn))
    assert uuid.UUID(drawn).version == 4
    assert IDS.uuid4() != drawn


def test_a_drawn_username_is_ten_letters() -> None:
    assert re.fullmatch(r"[A-Za-z]{10}", IDS.username())
    assert len({IDS.username() for _ in range(100)}) == 100


def test_a_suffix_is_six_small_characters() -> None:
    assert re.fullmatch(r"[a-z0-9]{6}", IDS.suffix())
    assert len({IDS.suffix() for _ in range(100)}) > 90


def test_a_key_has_32_bytes_of_its_own() -> None:
    assert len(IDS.key()) == 32
    assert IDS.key() != IDS.key()


def test_a_ticket_is_32_bytes_and_never_the_same() -> None:
    assert len(IDS.ticket()) == 32
    assert IDS.ticket() != IDS.ticket()


def test_jitter_spreads_over_zero_to_one() -> None:
    drawn = [IDS.jitter() for _ in range(1000)]

    assert 0 <= min(drawn) < 0.1
    assert 0.9 < max(drawn) < 1
