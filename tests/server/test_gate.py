"""The composition of both gates: what a restart and a failed start leave behind."""

from pathlib import Path

import pytest

from server.config import Settings
from server.gate import Gate
from server.identity.signingkeys import KeyFileError
from server.ids import RandomIds
from server.runtime.objects import InvalidObject
from tests.support.clock import ManualClock
from tests.support.objects import object_id


def settings(folder: Path, **changed: object) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": str(folder),
            "storage": {"url": f"sqlite:///{folder / 'lockgate.db'}"},
            "dev": {"port": 0},
            **changed,
        }
    )


def made(chosen: Settings, *, dev: bool = True) -> Gate:
    return Gate(chosen, ManualClock(), RandomIds("test"), dev=dev, before_authenticate=None)


async def test_a_second_start_finds_keys_and_accounts_of_the_first(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    first = made(chosen)
    await first.start()
    match_token = first.tokens.mint_match_token("match")
    await first.stop()

    second = made(chosen)
    await second.start()

    assert second.tokens.match_id(match_token) == "match"
    assert second.issuer is not None
    await second.stop()


async def test_a_start_that_fails_can_be_stopped(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    (tmp_path / "session-keys.json").write_text("{}")
    (tmp_path / "session-keys.json").chmod(0o600)
    gate = made(chosen)

    with pytest.raises(KeyFileError):
        await gate.start()

    await gate.stop()


@pytest.mark.parametrize(("dev", "limited"), [(True, False), (False, True)])
async def test_development_has_no_limits_per_address_unless_they_are_set(
    tmp_path: Path, dev: bool, limited: bool
) -> None:
    free, chosen = made(settings(tmp_path), dev=dev), made(settings(tmp_path, session={SET: 1}), dev=dev)
    await free.start()
    for _ in range(3):
        free.logins.limits.admit_address("192.0.2.1")
        free.bridge.limits.admit_address("192.0.2.1")
    assert (free.logins.limits.keys["address"] == 1) is limited
    await free.stop()

    await chosen.start()
    chosen.logins.limits.admit_address("192.0.2.1")
    assert chosen.logins.limits.keys["address"] == 1
    await chosen.stop()


SET = "refreshes_per_minute_per_address"


async def test_stored_objects_have_the_limits_that_are_set(tmp_path: Path) -> None:
    gate = made(settings(tmp_path, objects={"batch_max": 1}))
    await gate.start()

    with pytest.raises(InvalidObject, match="at most 1"):
        await gate.store.objects.read([object_id("a"), object_id("b")])

    await gate.stop()
