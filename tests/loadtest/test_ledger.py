"""Whether members agree on who is there, and how long those who left are remembered."""

import pytest

from loadtest import ledger
from loadtest.ledger import KEEP_NS, QUIET_NS, Ledger
from loadtest.pacer import NS
from loadtest.result import Truth
from tests.support.ledger_room import LedgerRoom


def test_members_who_agree_on_who_is_there_have_not_diverged() -> None:
    room = LedgerRoom(3)

    room.ledger.sweep(QUIET_NS + 1)

    room.check()


def test_a_leave_that_one_member_was_not_told_of_is_found_once_it_is_quiet() -> None:
    room = LedgerRoom(3)
    first, second, _third = room.members
    first.leave(10, first.marks())
    second.told_left("s0")

    room.ledger.sweep(QUIET_NS)
    room.check()
    for at_ns in (QUIET_NS + 11, 2 * QUIET_NS + 11):
        room.ledger.sweep(at_ns, last=True)

    room.check(presence_diverged=1)


def test_a_leave_of_somebody_who_stays_is_found() -> None:
    room = LedgerRoom(2)

    room.members[1].told_left("s0")
    room.ledger.sweep(0, last=True)

    room.check(presence_diverged=1)


def test_a_leave_that_was_never_is_found_when_it_still_stands_a_second_later() -> None:
    room = LedgerRoom(2)
    room.ledger.sweep(QUIET_NS + 1)
    room.members[1].told_left("s0")

    room.ledger.sweep(QUIET_NS + 2)
    room.check()
    room.ledger.sweep(2 * QUIET_NS)
    room.ledger.sweep(3 * QUIET_NS)

    room.check(presence_diverged=1)


def test_a_leave_that_one_is_told_of_before_the_connection_breaks_is_none_too_many() -> None:
    room = LedgerRoom(2)
    room.members[1].told_left("s0")
    room.ledger.sweep(QUIET_NS + 2)
    room.members[0].leave(QUIET_NS + 3, None)

    for seconds in range(2, 8):
        room.ledger.sweep(seconds * QUIET_NS)

    room.check()


def test_what_members_think_is_compared_before_they_all_leave() -> None:
    room = LedgerRoom(3)
    first, second, third = room.members
    second.told_left("s0")
    third.told_left("s0")

    for each in (first, second, third):
        each.leave(QUIET_NS + 1, each.marks())
    room.ledger.sweep(QUIET_NS + 1, last=True)

    room.check(presence_diverged=2)


def test_who_came_a_moment_ago_need_not_be_known_to_those_who_leave() -> None:
    room = LedgerRoom(2)
    late = room.topic.begin(QUIET_NS)
    late.enter(QUIET_NS, "s9", "u9", ["s0", "s1"])

    for each in (*room.members, late):
        each.leave(QUIET_NS + 1, each.marks())

    room.check()


def test_others_may_know_of_a_member_before_the_member_does() -> None:
    room = LedgerRoom(2)
    room.topic.begin(QUIET_NS + 5)
    room.members[0].joined("s9")

    room.members[1].leave(QUIET_NS + 6, room.members[1].marks())

    room.check()


def test_a_room_in_which_somebody_comes_all_the_time_is_compared_too() -> None:
    room = LedgerRoom(2)
    room.members[1].told_left("s0")

    for second in range(6):
        room.now_ns = second * QUIET_NS // 2
        room.join()
        room.ledger.sweep(room.now_ns + 1)

    room.check(presence_diverged=1)


def test_who_was_told_of_a_gap_may_not_know_who_is_there() -> None:
    room = LedgerRoom(2)
    room.members[1].told_left("s0")

    room.members[1].forgive()
    room.members[1].joined("s5")
    room.ledger.sweep(QUIET_NS + 1, last=True)

    room.check()


def test_who_does_not_hear_is_owed_nothing_and_says_nothing_of_presences() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    deaf = room.topic.begin(0, hears=False)
    deaf.enter(0, "s9", "u9", None)

    number = first.send()
    second.receive(first, number)
    assert not deaf.receive(first, number)
    second.receive(deaf, deaf.send())
    room.ledger.sweep(0, last=True)

    assert room.ledger.truth().lost == 1  # what the deaf one said has not reached the first


def test_those_who_left_are_forgotten_and_so_is_an_empty_topic() -> None:
    room = LedgerRoom(2)
    for each in room.members:
        each.leave(0, each.marks())

    room.ledger.sweep(KEEP_NS + 1)

    assert not room.topic.recent
    assert not room.ledger._topics


def test_a_topic_to_which_people_come_back_is_watched_again() -> None:
    room = LedgerRoom(2)
    for each in room.members:
        each.leave(0, each.marks())
    room.ledger.sweep(KEEP_NS + 1)

    back = room.topic.begin(2 * KEEP_NS)
    room.ledger.sweep(2 * KEEP_NS)
    back.enter(2 * KEEP_NS, "back", "u2", ["nobody"])
    for seconds in range(5):
        room.ledger.sweep(2 * KEEP_NS + seconds * NS)

    room.check(presence_diverged=1)


def test_of_those_who_left_a_bounded_number_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_FORGOTTEN", 2)
    room = LedgerRoom(5)
    gone, stays = room.members[:4], room.members[4]
    for each in gone:
        assert stays.receive(each, each.send())
        each.leave(0, each.marks())
        room.ledger.sweep(QUIET_NS + 1)
    refused = room.topic.begin(0)

    assert list(room.ledger.visits) == [2, 3, 4]

    room.ledger.hear_of_nobody(gone[1].number)
    room.ledger.hear_of_nobody(refused.number + 1)

    assert (room.ledger.duplicated, room.ledger.corrupt) == (1, 1)


def test_nothing_at_all_is_clean() -> None:
    assert Ledger().truth() == Truth()
