"""Rotation of the key file: who signs, who stays, who goes, and when nothing is changed."""

import json
import stat
import threading
from pathlib import Path

import pytest

from server.config import Settings
from server.identity.key_file import KeyFile
from server.identity.key_rotation import SPARE_S, Rotated, rotate
from server.identity.signingkeys import MAX_RING, USES, KeyFileError, SigningKey, SigningKeys
from server.ids import RandomIds
from server.sections import SessionSettings

IDS = RandomIds("test")
NOW = 1_800_000_000
SESSION_S, REFRESH_S = 7200, 86_400


def settings(tmp_path: Path, **more: object) -> Settings:
    session = {"key_file": str(tmp_path / "keys.json"), "token_ttl_s": SESSION_S, "refresh_idle_s": REFRESH_S}
    return Settings(session=SessionSettings.model_validate(session | more))


def ring(letter: str, *made: int) -> tuple[SigningKey, ...]:
    """Keys named a0, a1 … by age, made at these times."""
    return tuple(
        SigningKey(f"{letter}{index}", f"{letter}{index}".encode().ljust(32), at)
        for index, at in enumerate(made)
    )


def write(tmp_path: Path, session: tuple[SigningKey, ...], refresh: tuple[SigningKey, ...]) -> KeyFile:
    file = KeyFile(tmp_path / "keys.json")
    file.path.write_bytes(SigningKeys.of(session, refresh).document())
    file.path.chmod(0o600)
    return file


def kids(keys: tuple[SigningKey, ...]) -> list[str]:
    return [key.kid for key in keys]


def test_a_fresh_key_signs_in_each_ring_and_the_former_ones_stay(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW - 10), ring("r", 0))

    session, refresh = rotate(settings(tmp_path), USES, IDS, NOW + 0.7)

    keys = file.read().keys
    assert kids(keys.session) == [session.added, "s0"]
    assert kids(keys.refresh) == [refresh.added, "r0"]
    assert keys.session[0].created_at == keys.refresh[0].created_at == NOW
    assert (session.use, session.kept, session.dropped) == ("session", ("s0",), ())
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_the_newest_key_is_never_dropped_however_old_it_is(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", 0), ring("r", 1))

    rotate(settings(tmp_path), USES, IDS, NOW)

    assert kids(file.read().keys.session)[1:] == ["s0"]
    assert kids(file.read().keys.refresh)[1:] == ["r0"]


@pytest.mark.parametrize(("use", "life_s"), [("session", SESSION_S), ("refresh", REFRESH_S)])
def test_a_key_goes_an_hour_after_the_last_token_it_signed(tmp_path: Path, use: str, life_s: int) -> None:
    edge = NOW - life_s - SPARE_S
    rings = {"session": ring("s", edge, 5), "refresh": ring("r", edge, 5)}
    file = write(tmp_path, rings["session"], rings["refresh"])

    (still,) = rotate(settings(tmp_path), (next(item for item in USES if item == use),), IDS, NOW)
    write(tmp_path, rings["session"], rings["refresh"])
    (gone,) = rotate(settings(tmp_path), (next(item for item in USES if item == use),), IDS, NOW + 1)

    letter = use[0]
    assert (still.kept, still.dropped) == ((f"{letter}0", f"{letter}1"), ())
    assert (gone.kept, gone.dropped) == ((f"{letter}0",), (f"{letter}1",))
    assert file.read().keys.kids()[f"{use}_kids"] == [gone.added, f"{letter}0"]


def test_a_successor_of_unknown_age_is_an_old_one(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", 0, 0), ring("r", NOW))

    rotate(settings(tmp_path), USES, IDS, NOW)

    assert kids(file.read().keys.session)[1:] == ["s0"]


def test_one_ring_is_rotated_and_the_other_left_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW, 0, 0), ring("r", NOW))

    (refresh,) = rotate(settings(tmp_path), ("refresh",), IDS, NOW)

    assert kids(file.read().keys.session) == ["s0", "s1", "s2"]
    assert kids(file.read().keys.refresh) == [refresh.added, "r0"]


def test_a_full_ring_is_told_and_neither_ring_is_changed(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW), ring("r", *[NOW] * MAX_RING))
    before = file.path.read_bytes()

    with pytest.raises(KeyFileError, match="refresh: 8 keys already"):
        rotate(settings(tmp_path), USES, IDS, NOW)

    assert file.path.read_bytes() == before


def test_a_ring_is_filled_up_to_its_bound(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", *[NOW] * (MAX_RING - 1)), ring("r", NOW))

    rotate(settings(tmp_path), ("session",), IDS, NOW)

    assert len(file.read().keys.session) == MAX_RING


def test_keys_of_the_environment_are_rotated_elsewhere(tmp_path: Path) -> None:
    keys = SigningKeys.generate(IDS).document().decode()

    with pytest.raises(KeyFileError, match=r"^session\.keys: these keys come from the environment"):
        rotate(settings(tmp_path, key_file="", keys=keys), USES, IDS, NOW)


def test_without_a_file_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no such file yet"):
        rotate(settings(tmp_path), USES, IDS, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_file_is_told_and_kept(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW), ring("r", NOW))
    file.path.write_text("{}")

    with pytest.raises(KeyFileError, match="session: no keys"):
        rotate(settings(tmp_path), USES, IDS, NOW)

    assert file.path.read_text() == "{}"


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW), ring("r", NOW))
    done: list[Rotated] = []

    def once() -> None:
        start.wait()
        try:
            done.extend(rotate(settings(tmp_path), ("session",), IDS, NOW))
        except KeyFileError as error:
            refused.append(str(error))

    refused: list[str] = []
    start = threading.Barrier(6)
    threads = [threading.Thread(target=once) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done
    assert len(done) + len(refused) == 6
    assert all("another rotation is running" in reason for reason in refused)
    assert {rotated.added for rotated in done} | {"s0"} == set(kids(file.read().keys.session))


def test_what_is_printed_names_key_ids_alone(tmp_path: Path) -> None:
    file = write(tmp_path, ring("s", NOW - 10_801, 0), ring("r", NOW))

    lines = [str(rotated) for rotated in rotate(settings(tmp_path), USES, IDS, NOW)]

    keys = file.read().keys
    assert lines == [
        f"session: {keys.session[0].kid} signs; still verifying: s0; dropped: s1",
        f"refresh: {keys.refresh[0].kid} signs; still verifying: r0; dropped: none",
    ]
    written = json.loads(file.path.read_bytes())
    assert not any(entry["key"] in "".join(lines) for use in USES for entry in written[use])
