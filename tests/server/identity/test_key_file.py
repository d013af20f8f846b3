"""The key file: made once, private, refused when it is not, and replaced in one step."""

import json
import os
import stat
from pathlib import Path

import pytest

from server.config import Settings
from server.identity import key_file
from server.identity.key_file import KeyFile, check_rights
from server.identity.signingkeys import KeyFileError, SigningKeys
from server.ids import RandomIds
from server.sections import SessionSettings

IDS = RandomIds("test")
NOW = 1_800_000_000


def made(tmp_path: Path) -> KeyFile:
    file = KeyFile(tmp_path / "keys.json")
    file.open(IDS, NOW)
    return file


def rights(mode: int, uid: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, uid, 0, 0, 0, 0, 0))


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "new" / "keys.json")

    first = file.open(IDS, NOW + 0.9)
    second = file.open(IDS, NOW + 5)

    assert first == second
    assert first.session[0].created_at == NOW
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [item.name for item in file.path.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o660, 0o644, 0o620, 0o610, 0o666])
def test_our_own_file_is_for_us_alone(tmp_path: Path, mode: int) -> None:
    file = made(tmp_path)
    file.path.chmod(mode)

    with pytest.raises(KeyFileError, match="0600"):
        file.open(IDS, NOW)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_is_private_is_read(tmp_path: Path, mode: int) -> None:
    file = made(tmp_path)
    file.path.chmod(mode)

    assert file.read().keys == file.open(IDS, NOW)


@pytest.mark.parametrize("mode", [0o440, 0o640, 0o600, 0o400])
def test_the_group_may_read_what_somebody_else_owns(mode: int) -> None:
    check_rights(rights(mode, os.geteuid() + 1))


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o660, 0o460, 0o602, 0o604, 0o646])
def test_others_may_not_read_what_somebody_else_owns_nor_the_group_write_it(mode: int) -> None:
    with pytest.raises(ValueError, match="others can read it, or its group can write it"):
        check_rights(rights(mode, os.geteuid() + 1))


def test_links_are_followed_as_mounts_of_secrets_swap_them(tmp_path: Path) -> None:
    keys = [SigningKeys.generate(IDS, NOW) for _ in range(2)]
    for index, one in enumerate(keys):
        folder = tmp_path / f"version{index}"
        folder.mkdir()
        (folder / "keys.json").write_bytes(one.document())
        (folder / "keys.json").chmod(0o600)
    (tmp_path / "..data").symlink_to("version0")
    file = KeyFile(tmp_path / "mounted.json")
    file.path.symlink_to(tmp_path / "..data" / "keys.json")
    first, state = file.read().keys, file.state()

    (tmp_path / "next").symlink_to("version1")
    (tmp_path / "next").rename(tmp_path / "..data")

    assert [first, file.read().keys] == keys
    assert file.state() != state


def test_other_rights_alone_are_another_state_of_the_file(tmp_path: Path) -> None:
    file = made(tmp_path)
    before = file.state()

    file.path.chmod(0o400)

    assert file.state() != before


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=str(tmp_path)):
        KeyFile(tmp_path).open(IDS, NOW)


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys.json", 0o600)

    with pytest.raises(KeyFileError, match="not a regular file"):
        KeyFile(tmp_path / "keys.json").open(IDS, NOW)


def test_a_link_to_nothing_is_told_and_left_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.path.symlink_to(tmp_path / "gone")

    with pytest.raises(KeyFileError, match="No such file"):
        file.open(IDS, NOW)
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]


def test_a_file_over_64_kib_is_refused(tmp_path: Path) -> None:
    file = made(tmp_path)
    document = file.path.read_bytes()
    file.path.write_bytes(document.ljust(key_file.MAX_FILE))
    fitting = file.read().keys

    file.path.write_bytes(document.ljust(key_file.MAX_FILE + 1))

    assert fitting.session
    with pytest.raises(KeyFileError, match="too large"):
        file.read()


def test_production_refuses_weak_keys_in_a_file(tmp_path: Path) -> None:
    path = made(tmp_path).path
    document = json.loads(path.read_bytes())
    document["session"][0]["key"] = "A" * 43
    path.write_text(json.dumps(document))

    assert KeyFile(path).read().keys.session
    with pytest.raises(KeyFileError, match="production"):
        KeyFile(path, production=True).read()


def test_a_replacement_leaves_one_private_file_with_the_new_keys(tmp_path: Path) -> None:
    file = made(tmp_path)
    new = SigningKeys.generate(IDS, NOW + 1)
    file.path.chmod(0o400)

    with file.replacing(IDS) as replacement:
        replacement.write(new, file.read().found)

    assert file.read().keys == new
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]


def test_a_replacement_goes_where_the_link_points(tmp_path: Path) -> None:
    target = made(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    linked = KeyFile(tmp_path / "elsewhere" / "link.json")
    linked.path.symlink_to(target.path)
    new = SigningKeys.generate(IDS, NOW + 1)

    with linked.replacing(IDS) as replacement:
        replacement.write(new, linked.read().found)

    assert linked.path.is_symlink()
    assert target.read().keys == new


def test_a_replacement_keeps_the_owner_and_the_right_of_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _file, uid, gid: given.append((uid, gid)))
    file, other = made(tmp_path), os.geteuid() + 1

    with file.replacing(IDS) as replacement:
        replacement.write(SigningKeys.generate(IDS, NOW), rights(0o640, other))

    assert given == [(other, 0)]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640


def test_whoever_cannot_keep_the_owner_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _uid: int, _gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    file = made(tmp_path)
    before = file.read().keys

    with file.replacing(IDS) as replacement, pytest.raises(KeyFileError, match="cannot be replaced"):
        replacement.write(SigningKeys.generate(IDS, NOW), rights(0o600, os.geteuid() + 1))

    assert file.read().keys == before
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]


def test_one_at_a_time_replaces_the_file(tmp_path: Path) -> None:
    file = made(tmp_path)

    with (
        file.replacing(IDS),
        pytest.raises(KeyFileError, match="another rotation is running"),
        file.replacing(IDS),
    ):
        pass

    with file.replacing(IDS):
        pass


def test_a_file_that_cannot_be_replaced_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(30, "Read-only file system")

    file = made(tmp_path)
    before = file.read().keys
    monkeypatch.setattr(Path, "rename", refuse)

    with (
        file.replacing(IDS) as replacement,
        pytest.raises(KeyFileError, match="cannot be replaced: Read-only"),
    ):
        replacement.write(SigningKeys.generate(IDS, NOW), file.read().found)

    assert file.read().keys == before
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]


def settings(**session: object) -> Settings:
    return Settings(session=SessionSettings.model_validate(session))


def test_without_a_setting_the_file_is_in_the_data_folder() -> None:
    made_up = KeyFile.configured(Settings(data_dir="elsewhere"))
    named = KeyFile.configured(settings(key_file="mounted/keys.json"))

    assert made_up is not None
    assert named is not None
    assert (made_up.path, named.path) == (Path("elsewhere/session-keys.json"), Path("mounted/keys.json"))


def test_keys_in_the_settings_need_no_file() -> None:
    keys = SigningKeys.generate(IDS, NOW)
    given = settings(keys=keys.document().decode())

    assert KeyFile.configured(given) is None
    assert key_file.load(given, None, IDS, NOW) == keys


def test_production_refuses_weak_keys_in_the_settings() -> None:
    document = json.loads(SigningKeys.generate(IDS, NOW).document())
    document["refresh"][0]["key"] = "A" * 43
    given = {"session": {"keys": json.dumps(document)}}
    own = {"socket": {"server_key": "own-1"}, "runtime": {"http_key": "own-2"}}

    assert key_file.load(Settings.model_validate(given), None, IDS, NOW).refresh
    with pytest.raises(KeyFileError, match=r"^session\.keys: .* production"):
        key_file.load(Settings.model_validate(given | own | {"production": True}), None, IDS, NOW)


def test_bad_keys_in_the_settings_are_told_by_the_name_of_the_setting() -> None:
    with pytest.raises(KeyFileError, match=r"^session\.keys: not a JSON object$"):
        key_file.load(settings(keys="secret\udcff"), None, IDS, NOW)
