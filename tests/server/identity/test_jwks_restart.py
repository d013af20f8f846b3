"""A restart of the key cache from the last good set on disk, as during an outage of the issuer."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.identity.failures import KeysUnavailable
from server.identity.jwks_cache import Rules
from server.identity.jwks_file import JwksFile
from server.identity.keyset import thumbprint
from tests.support.issuer import jwks, rsa_key
from tests.support.jwks_bench import ONE, TWO, Bench


def on_disk(folder: Path, rules: Rules | None = None) -> Bench:
    file = JwksFile(folder, "https://issuer.example", "https://issuer.example/keys")
    return Bench(rules=rules or Rules(), file=file)


async def saved(folder: Path) -> None:
    bench = on_disk(folder)
    assert await bench.has("one")
    await bench.tasks.idle()


def damage(folder: Path) -> None:
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-20])


async def test_a_restart_during_an_outage_knows_the_last_good_keys(tmp_path: Path) -> None:
    await saved(tmp_path)
    after = on_disk(tmp_path)
    after.provider.document = None
    after.clock.advance(3600)

    await after.cache.restore()

    assert await after.has("one")
    assert after.cache.age_s == 3600
    await after.settle()
    after.clock.advance(23 * 3600 + 1)
    with pytest.raises(KeysUnavailable):
        await after.has("one")


async def test_keys_from_disk_are_refreshed_at_once(tmp_path: Path) -> None:
    await saved(tmp_path)
    after = on_disk(tmp_path)
    after.provider.document = jwks(TWO)
    await after.cache.restore()
    after.cache.refresh_if_due()
    await after.tasks.idle()

    assert not await after.has("one")
    assert await after.has("two")


async def test_keys_from_disk_have_an_age_limit(tmp_path: Path) -> None:
    await saved(tmp_path)
    after = on_disk(tmp_path, Rules(stale_limit_s=3600))
    after.clock.advance(3601)
    with capture_logs() as told:
        await after.cache.restore()

    assert len(after.cache) == 0
    assert [event["event"] for event in told] == ["jwks_file_ignored"]


async def test_a_key_that_is_denied_since_is_denied_on_disk_too(tmp_path: Path) -> None:
    await saved(tmp_path)
    after = on_disk(tmp_path, Rules(denied=frozenset({thumbprint(rsa_key().public_key())})))
    await after.cache.restore()

    assert len(after.cache) == 0


@pytest.mark.parametrize(("by_the_rules", "kept"), [(False, False), (True, True)])
async def test_a_set_that_only_its_place_makes_suspect_is_not_kept(
    tmp_path: Path, by_the_rules: bool, kept: bool
) -> None:
    denied = frozenset({thumbprint(rsa_key().public_key())})
    bench = on_disk(tmp_path, Rules(denied=denied if by_the_rules else frozenset()))
    bench.provider.document, bench.provider.denied = jwks(ONE, TWO), denied

    assert not await bench.has("one")
    assert await bench.has("two")
    await bench.tasks.idle()

    assert bool(os.listdir(tmp_path)) is kept


async def test_a_damaged_file_is_ignored_and_written_anew(tmp_path: Path) -> None:
    await saved(tmp_path)
    damage(tmp_path)
    after = on_disk(tmp_path)
    with capture_logs() as told:
        await after.cache.restore()
    assert [event["event"] for event in told] == ["jwks_file_ignored"]
    assert await after.has("one")
    await after.tasks.idle()
    once_more = on_disk(tmp_path)
    await once_more.cache.restore()

    assert len(once_more.cache) == 1


async def test_a_folder_that_cannot_be_written_is_told_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    bench = on_disk(tmp_path / "taken")
    with capture_logs() as told:
        await bench.cache.restore()
        assert await bench.has("one")
        await bench.tasks.idle()

    assert [event["event"] for event in told] == ["jwks_file_ignored", "jwks_loaded", "jwks_not_saved"]
