"""Each departure from "everything, once, in order" is counted under its own name."""

from random import Random

import pytest

from loadtest.ledger import WRITE_OFF_NS
from loadtest.pacer import NS
from tests.support.ledger_room import LedgerRoom


def test_everything_once_and_in_order_is_clean() -> None:
    room = LedgerRoom(3)
    first, second, third = room.members

    for _ in range(2):
        number = first.send()
        assert second.receive(first, number)
        assert third.receive(first, number)

    room.check(sent=2, expected=4, delivered=4)


def test_what_does_not_arrive_is_lost() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    numbers = [first.send() for _ in range(3)]

    second.receive(first, numbers[0])
    second.receive(first, numbers[2])

    room.check(lost=1, expected=3, delivered=2)


def test_what_arrives_twice_is_duplicated() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    number = first.send()

    assert second.receive(first, number)
    assert not second.receive(first, number)

    room.check(duplicated=1, delivered=1)


def test_what_is_overtaken_is_reordered_and_not_lost() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    numbers = [first.send() for _ in range(3)]

    for number in (numbers[1], numbers[0], numbers[2]):
        assert second.receive(first, number)

    room.check(reordered=1, delivered=3)


def test_a_number_that_was_never_sent_is_corrupt() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    first.send()

    assert not second.receive(first, 1)

    room.check(corrupt=1, lost=1)


@pytest.mark.parametrize("echoes", [True, False])
def test_who_speaks_hears_it_only_where_places_echo(echoes: bool) -> None:
    room = LedgerRoom(2, echoes=echoes)
    first, _ = room.members

    number = first.send()

    assert room.ledger.expected == (2 if echoes else 1)
    assert first.receive(first, number) == echoes
    assert room.ledger.corrupt == (0 if echoes else 1)


def test_what_was_under_way_when_somebody_came_in_may_be_heard_or_not() -> None:
    room = LedgerRoom(2)
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
    room = LedgerRoom(1)
    first = room.members[0]
    first.send()
    second = room.join()
    late = [first.send(), first.send()]

    second.receive(first, late[1])

    room.check(lost=1, expected=2)


def test_what_is_heard_before_the_answer_to_a_join_is_not_owed() -> None:
    room = LedgerRoom(1)
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
    room = LedgerRoom(2)
    first, second = room.members
    first.send()
    marks = second.marks()
    first.send()

    assert second.lacking(marks) == 1
    second.leave(0, marks)

    room.check(lost=1, expected=1)


def test_what_was_said_behind_the_marks_is_not_expected_of_who_leaves() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    second.receive(first, first.send())
    marks = second.marks()
    first.send()

    second.leave(0, marks)

    room.check(expected=1, delivered=1)
    first.send()
    room.check(expected=1, delivered=1)


def test_a_receiver_whose_connection_breaks_is_owed_only_what_lies_before_what_it_heard() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    numbers = [first.send() for _ in range(4)]
    second.receive(first, numbers[1])

    second.leave(0, None)

    room.check(lost=1, expected=2)
    assert room.ledger.written_off == 2


def test_what_a_broken_sender_said_last_is_written_off_after_a_while() -> None:
    room = LedgerRoom(2)
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
    room = LedgerRoom(2)
    first, second = room.members
    number = first.send()

    first.leave(0, first.marks())
    second.told_left("s0")
    room.ledger.sweep(WRITE_OFF_NS + 1, last=True)

    room.check(lost=1)
    assert second.receive(first, number)
    room.check(delivered=1)


def test_a_server_that_tells_of_a_gap_is_forgiven_it() -> None:
    room = LedgerRoom(2)
    first, second = room.members
    numbers = [first.send() for _ in range(4)]
    second.receive(first, numbers[0])
    second.receive(first, numbers[2])

    second.forgive()
    later = first.send()
    second.receive(first, later)

    room.check(expected=3, delivered=3)
    assert room.ledger.written_off == 2


def test_what_is_owed_is_the_sum_over_all_senders_whatever_happens() -> None:
    for seed in range(200):
        random, room = Random(seed), LedgerRoom(3, echoes=seed % 2 == 0)
        for _ in range(60):
            there = [each for each in room.members if each.is_in]
            deed = random.randrange(8)
            if deed == 0 or not there:
                room.join()
            elif deed == 1:
                leaver = random.choice(there)
                leaver.leave(room.now_ns, random.choice([leaver.marks(), None]))
            elif deed == 2:
                room.now_ns += random.choice([NS // 2, 4 * NS])
                room.ledger.sweep(room.now_ns)
            else:
                speaker = random.choice(there)
                number = speaker.send()
                for each in there:
                    if random.random() < 0.8 and (each is not speaker or room.topic.echoes):
                        each.receive(speaker, max(number - random.choice([0, 0, 0, 1]), 0))
            marks = {each.number: random.randint(0, each.sent) for each in room.topic.recent.values()}
            for each in room.topic.members.values():
                senders = room.topic.recent.items()
                assert each.lacking(marks) == sum(each.owed_by(by, marks[number]) for number, by in senders)
                open_ = {number for number, _ in each._open(each.marks())}
                assert all(each.owed_by(by) == 0 for number, by in senders if number not in open_)
