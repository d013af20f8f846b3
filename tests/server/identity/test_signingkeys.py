"""The key file: made once, private, and refused when it is not."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from server.identity import base64url
from server.identity.signingkeys import KeyFileError, SigningKeys
from server.ids import RandomIds

IDS = RandomIds("test")


def write(path: Path, document: Any, mode: int = 0o600) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return path


def ring(*secrets: bytes) -> list[dict[str, str]]:
    return [{"kid": f"k{index}", "key": base64url.encode(secret)} for index, secret in enumerate(secrets)]


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"

    first = SigningKeys.load_or_create(path, IDS)
    second = SigningKeys.load_or_create(path, IDS)

    assert first == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]
    assert len({first.session[0].secret, first.refresh[0].secret, first.match[0].secret}) == 3


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    SigningKeys.load_or_create(path, IDS)
    path.chmod(mode)

    with pytest.raises(KeyFileError, match="0600"):
        SigningKeys.load_or_create(path, IDS)


A, B = b"a" * 32, b"b" * 32


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        {},
        {"session": ring(A)},
        {"session": ring(A), "refresh": []},
        {"session": ring(A), "refresh": ring(A)},
        {"session": ring(A, A), "refresh": ring(B)},
        {"session": ring(A), "refresh": ring(b"short")},
        {"session": ring(A), "refresh": ["text"]},
        {"session": ring(A), "refresh": [{"kid": "", "key": base64url.encode(B)}]},
        {"session": ring(A), "refresh": [{"kid": "k", "key": "!"}]},
        {"session": [ring(A)[0], {"kid": "k0", "key": base64url.encode(b"c" * 32)}], "refresh": ring(B)},
    ],
)
def test_a_file_that_is_not_two_rings_of_keys_is_refused(tmp_path: Path, document: Any) -> None:
    path = write(tmp_path / "keys.json", document)

    with pytest.raises(KeyFileError) as refused:
        SigningKeys.load_or_create(path, IDS)
    assert base64url.encode(A) not in str(refused.value)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        SigningKeys.load_or_create(tmp_path, IDS)
