"""Who may read an object, and what a change makes of the one that is there."""

import hashlib

import pytest

from server.runtime.objects import NotPermitted, ObjectsRefused, StoredObject, VersionConflict
from server.storage.object_rules import changed, check_delete, least, may_read
from tests.support.issuer import ALICE, BOB
from tests.support.objects import to_delete, to_write

OLD = changed(None, to_write("slot", 1), 10, by_client=True)
LOCKED = changed(None, to_write("slot", 1, permission_write=0), 10, by_client=True)


def test_a_new_object_has_the_md5_of_its_text_as_version() -> None:
    text = '{"name": "Zoë"}'

    made = changed(None, to_write("slot", text=text, permission_read=2), 10, by_client=True)

    assert made.version == hashlib.md5(text.encode()).hexdigest()
    assert (made.text, made.permission_read, made.permission_write) == (text, 2, 1)
    assert (made.create_time, made.update_time) == (10, 10)


def test_a_change_keeps_when_the_object_was_made() -> None:
    made = changed(OLD, to_write("slot", 2), 20, by_client=True)

    assert (made.create_time, made.update_time) == (10, 20)
    assert made.version != OLD.version


@pytest.mark.parametrize("version", ["", OLD.version])
def test_a_version_that_holds_lets_the_write_through(version: str) -> None:
    assert changed(OLD, to_write("slot", 2, version=version), 20, by_client=True).value == {"level": 2}


def test_only_new_objects_are_written_if_so_wished() -> None:
    assert changed(None, to_write("slot", version="*"), 20, by_client=True).value == {"level": 1}
    with pytest.raises(VersionConflict):
        changed(OLD, to_write("slot", version="*"), 20, by_client=False)


@pytest.mark.parametrize("there", [None, OLD])
def test_a_version_that_does_not_hold_is_a_conflict(there: StoredObject | None) -> None:
    with pytest.raises(VersionConflict):
        changed(there, to_write("slot", version="another"), 20, by_client=False)


def test_what_no_client_may_change_the_server_may() -> None:
    with pytest.raises(NotPermitted):
        changed(LOCKED, to_write("slot", 2), 20, by_client=True)

    assert changed(LOCKED, to_write("slot", 2), 20, by_client=False).value == {"level": 2}


@pytest.mark.parametrize(
    ("there", "version", "refusal"),
    [
        (None, "", VersionConflict),
        (None, OLD.version, VersionConflict),
        (OLD, "another", VersionConflict),
        (OLD, "*", VersionConflict),
        (LOCKED, "", NotPermitted),
    ],
)
def test_a_client_may_not_delete(
    there: StoredObject | None, version: str, refusal: type[ObjectsRefused]
) -> None:
    with pytest.raises(refusal):
        check_delete(there, to_delete("slot", version=version), by_client=True)


@pytest.mark.parametrize(("there", "version"), [(None, ""), (LOCKED, ""), (LOCKED, LOCKED.version)])
def test_the_server_may_delete(there: StoredObject | None, version: str) -> None:
    check_delete(there, to_delete("slot", version=version), by_client=False)


def test_the_server_too_deletes_the_version_it_named_or_nothing() -> None:
    for there in (None, OLD):
        with pytest.raises(VersionConflict):
            check_delete(there, to_delete("slot", version="another"), by_client=False)


@pytest.mark.parametrize(
    ("permission", "readers"),
    [(0, [None]), (1, [None, ALICE]), (2, [None, ALICE, BOB])],
)
def test_permissions_say_who_reads(permission: int, readers: list[str | None]) -> None:
    made = changed(None, to_write("slot", permission_read=permission), 1, by_client=False)

    assert [each for each in (None, ALICE, BOB) if may_read(made, each)] == readers


def test_nobody_is_the_owner_of_the_servers_own() -> None:
    assert least("", ALICE) == 2
