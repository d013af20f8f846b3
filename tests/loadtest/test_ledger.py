"""Each departure from "everything, once, in order, and nothing else" is counted under its own name."""

import pytest

from loadtest.ledger import KEEP_NS, QUIET_NS, WRITE_OFF_NS, Ledger, Topic, Visit
from loadtest.result import Truth


class Room:
    """Members who hear each other; `now_ns` is set by hand."""

    def __init__(self, members: int, *, echoes: bool = False) -> None:
        self.ledger = Ledger()
        self.topic: Topic = self.ledger.topic(echoes=echoes)
        self.now_ns = 0
        self.members: list[Visit] = []
        for _ in range(members):
            self.join()

    def join(self) -> Visit:
        visit = self.topic.begin(self.now_ns)
        name = f"s{len(self.members)}"
        present = [each.session_id for each in self.members if each.is_in]
        visit.enter(self.now_ns, name, f"u{len(self.members)}", present)
        for each in self.members:
            each.joined(name)
        self.members.append(visit)
        return visit

    def check(self, **expected: int) -> None:
        """These counters are as told and all other faults zero."""
        truth = self.ledger.truth()
        faults = {name: count for name, count in truth.faults().items() if count}
        plain: dict[str, int] = {
            name: getattr(truth, name) for name in ("sent", "expected", "delivered") if name in expected
        }
        assert faults | plain == expected


def test_everything_once_and_in_order_is_clean() -> None:
    room = Room(3)
    first, second, third = room.members

    for _ in range(2):
        number = first.send()
        assert second.receive(first, number)
        assert third.receive(first, number)

    room.check(sent=2, expected=4, delivered=4)


def test_what_does_not_arrive_is_lost() -> None:
    room = Room(2)
    first, second = room.members
    numbers = [first.send() for _ in range(3)]

    second.receive(first, numbers[0])
    second.receive(first, numbers[2])

    room.check(lost=1, expected=3, delivered=2)


def test_what_arrives_twice_is_duplicated() -> None:
    room = Room(2)
    first, second = room.members
    number = first.send()

    assert second.receive(first, number)
    assert not second.receive(first, number)

    room.check(duplicated=1, delivered=1)


def test_what_is_overtaken_is_reordered_and_not_lost() -> None:
    room = Room(2)
    first, second = room.members
    numbers = [first.send() for _ in range(3)]

    for number in (numbers[1], numbers[0], numbers[2]):
        assert second.receive(first, number)

    room.check(reordered=1, delivered=3)


def test_a_number_that_was_never_sent_is_corrupt() -> None:
    room = Room(2)
    first, second = room.members
    first.send()

    assert not second.receive(first, 1)

    room.check(corrupt=1, lost=1)


@pytest.mark.parametrize("echoes", [True, False])
def test_who_speaks_hears_it_only_where_places_echo(echoes: bool) -> None:
    room = Room(2, echoes=echoes)
    first, _ = room.members

    number = first.send()

    assert room.ledger.expected == (2 if echoes else 1)
    assert first.receive(first, number) == echoes
    assert room.ledger.corrupt == (0 if echoes else 1)


def test_what_was_under_way_when_somebody_came_in_may_be_heard_or_not() -> None:
    room = Room(2)
    first, second = room.members
    early = [first.send() for _ in range(3)]
    for number in early:
        second.receive(first, number)

    third, fourth = room.join(), room.join()
    third.receive(first, early[2])
    late = first.send()
    for each in (second, third, fourth):
        each.receive(first, late)

    room.check(expected=3 + 3, delivered=6)


def test_a_gap_behind_what_was_under_way_is_a_loss() -> None:
    room = Room(1)
    first = room.members[0]
    first.send()
    second = room.join()
    late = [first.send(), first.send()]

    second.receive(first, late[1])

    room.check(lost=1, expected=2)


def test_what_is_heard_before_the_answer_to_a_join_is_not_owed() -> None:
    room = Room(1)
    first = room.members[0]
    second = room.topic.begin(0)
    numbers = [first.send(), first.send()]

    for number in numbers:
        assert second.receive(first, number)
    second.enter(0, "s1", "u1", ["s0"])
    later = first.send()
    second.receive(first, later)

    room.check(sent=3, expected=1, delivered=1)


def test_who_leaves_in_order_is_owed_what_was_said_up_to_then() -> None:
    room = Room(2)
    first, second = room.members
    first.send()
    marks = second.marks()
    first.send()

    assert second.lacking(marks) == 1
    second.leave(0, marks)

    room.check(lost=1, expected=1)


def test_what_was_said_behind_the_marks_is_not_expected_of_who_leaves() -> None:
    room = Room(2)
    first, second = room.members
    second.receive(first, first.send())
    marks = second.marks()
    first.send()

    second.leave(0, marks)

    room.check(expected=1, delivered=1)
    first.send()
    room.check(expected=1, delivered=1)


def test_a_receiver_whose_connection_breaks_is_owed_only_what_lies_before_what_it_heard() -> None:
    room = Room(2)
    first, second = room.members
    numbers = [first.send() for _ in range(4)]
    second.receive(first, numbers[1])

    second.leave(0, None)

    room.check(lost=1, expected=2)
    assert room.ledger.written_off == 2


def test_what_a_broken_sender_said_last_is_written_off_after_a_while() -> None:
    room = Room(2)
    first, second = room.members
    numbers = [first.send() for _ in range(3)]
    first.leave(0, None)

    second.told_left("s0")
    second.receive(first, numbers[0])
    room.ledger.sweep(WRITE_OFF_NS)
    room.check(lost=2)
    room.ledger.sweep(WRITE_OFF_NS + 1)

    room.check(delivered=1)
    assert room.ledger.written_off == 2


def test_what_a_sender_said_who_left_in_order_is_still_owed() -> None:
    room = Room(2)
    first, second = room.members
    number = first.send()

    first.leave(0, first.marks())
    second.told_left("s0")
    room.ledger.sweep(WRITE_OFF_NS + 1, last=True)

    room.check(lost=1)
    assert second.receive(first, number)
    room.check(delivered=1)


def test_members_who_agree_on_who_is_there_have_not_diverged() -> None:
    room = Room(3)

    room.ledger.sweep(QUIET_NS + 1)

    room.check()


def test_a_leave_that_one_member_was_not_told_of_is_found_once_it_is_quiet() -> None:
    room = Room(3)
    first, second, _third = room.members
    first.leave(10, first.marks())
    second.told_left("s0")

    room.ledger.sweep(QUIET_NS)
    room.check()
    for at_ns in (QUIET_NS + 11, 2 * QUIET_NS + 11):
        room.ledger.sweep(at_ns, last=True)

    room.check(presence_diverged=1)


def test_a_leave_of_somebody_who_stays_is_found() -> None:
    room = Room(2)

    room.members[1].told_left("s0")
    room.ledger.sweep(0, last=True)

    room.check(presence_diverged=1)


def test_a_leave_that_was_never_is_found_when_it_still_stands_a_second_later() -> None:
    room = Room(2)
    room.ledger.sweep(QUIET_NS + 1)
    room.members[1].told_left("s0")

    room.ledger.sweep(QUIET_NS + 2)
    room.check()
    room.ledger.sweep(2 * QUIET_NS)
    room.ledger.sweep(3 * QUIET_NS)

    room.check(presence_diverged=1)


def test_a_leave_that_one_is_told_of_before_the_connection_breaks_is_none_too_many() -> None:
    room = Room(2)
    room.members[1].told_left("s0")
    room.ledger.sweep(QUIET_NS + 2)
    room.members[0].leave(QUIET_NS + 3, None)

    for seconds in range(2, 8):
        room.ledger.sweep(seconds * QUIET_NS)

    room.check()


def test_what_members_think_is_compared_before_they_all_leave() -> None:
    room = Room(3)
    first, second, third = room.members
    second.told_left("s0")
    third.told_left("s0")

    for each in (first, second, third):
        each.leave(QUIET_NS + 1, each.marks())
    room.ledger.sweep(QUIET_NS + 1, last=True)

    room.check(presence_diverged=2)


def test_who_came_a_moment_ago_need_not_be_known_to_those_who_leave() -> None:
    room = Room(2)
    late = room.topic.begin(QUIET_NS)
    late.enter(QUIET_NS, "s9", "u9", ["s0", "s1"])

    for each in (*room.members, late):
        each.leave(QUIET_NS + 1, each.marks())

    room.check()


def test_others_may_know_of_a_member_before_the_member_does() -> None:
    room = Room(2)
    room.topic.begin(QUIET_NS + 5)
    room.members[0].joined("s9")

    room.members[1].leave(QUIET_NS + 6, room.members[1].marks())

    room.check()


def test_a_room_in_which_somebody_comes_all_the_time_is_compared_too() -> None:
    room = Room(2)
    room.members[1].told_left("s0")

    for second in range(6):
        room.now_ns = second * QUIET_NS // 2
        room.join()
        room.ledger.sweep(room.now_ns + 1)

    room.check(presence_diverged=1)


def test_who_was_told_of_a_gap_may_not_know_who_is_there() -> None:
    room = Room(2)
    room.members[1].told_left("s0")

    room.members[1].forgive()
    room.members[1].joined("s5")
    room.ledger.sweep(QUIET_NS + 1, last=True)

    room.check()


def test_who_does_not_hear_is_owed_nothing_and_says_nothing_of_presences() -> None:
    room = Room(2)
    first, second = room.members
    deaf = room.topic.begin(0, hears=False)
    deaf.enter(0, "s9", "u9", None)

    number = first.send()
    second.receive(first, number)
    assert not deaf.receive(first, number)
    second.receive(deaf, deaf.send())
    room.ledger.sweep(0, last=True)

    assert room.ledger.truth().lost == 1  # what the deaf one said has not reached the first


def test_a_server_that_tells_of_a_gap_is_forgiven_it() -> None:
    room = Room(2)
    first, second = room.members
    numbers = [first.send() for _ in range(4)]
    second.receive(first, numbers[0])
    second.receive(first, numbers[2])

    second.forgive()
    later = first.send()
    second.receive(first, later)

    room.check(expected=3, delivered=3)
    assert room.ledger.written_off == 2


def test_those_who_left_are_forgotten_and_so_is_an_empty_topic() -> None:
    room = Room(2)
    for each in room.members:
        each.leave(0, each.marks())

    room.ledger.sweep(KEEP_NS + 1)

    assert not room.topic.recent
    assert not room.ledger._topics


def test_nothing_at_all_is_clean() -> None:
    assert Ledger().truth() == Truth()
