"""Every kind of departure from "all, once, in order" is found and named."""

from random import Random

import pytest

from loadtest import ledger as ledger_module
from loadtest.ledger import Ledger, Tally

ANN, BOB, CAT, DAN = range(4)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(players=4)
    made.enrol([ANN, BOB, CAT])
    return made


def test_a_message_is_expected_by_all_others(ledger: Ledger) -> None:
    assert ledger.send(ANN) == 0

    assert ledger.tally() == Tally(sent=1, expected=2, delivered=0, duplicated=0, reordered=0, wrong=0)
    assert ledger.tally().lost == 2
    assert not ledger.is_complete()


def test_when_all_have_it_nothing_is_lost(ledger: Ledger) -> None:
    number = ledger.send(ANN)

    assert ledger.receive(BOB, ANN, number)
    assert ledger.receive(CAT, ANN, number)

    assert ledger.is_complete()
    assert ledger.tally().is_clean


def test_a_message_that_came_twice_is_counted_once(ledger: Ledger) -> None:
    number = ledger.send(ANN)
    ledger.receive(BOB, ANN, number)

    assert not ledger.receive(BOB, ANN, number)

    assert (ledger.tally().delivered, ledger.tally().duplicated) == (1, 1)
    assert ledger.tally().lost == 1


def test_a_gap_is_a_loss_until_it_is_filled_out_of_order(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.send(ANN)
    ledger.receive(BOB, ANN, 2)
    assert ledger.tally().lost == 5

    assert ledger.receive(BOB, ANN, 0)
    assert not ledger.receive(BOB, ANN, 0)

    tally = ledger.tally()
    assert (tally.delivered, tally.reordered, tally.duplicated) == (2, 1, 1)


def test_a_lost_tail_is_a_loss(ledger: Ledger) -> None:
    ledger.send(BOB)
    ledger.send(BOB)
    for receiver in (ANN, CAT):
        ledger.receive(receiver, BOB, 0)

    assert ledger.tally().lost == 2


@pytest.mark.parametrize(
    ("receiver", "sender", "number"),
    [(ANN, ANN, 0), (DAN, ANN, 0), (ANN, DAN, 0), (BOB, ANN, 1), (BOB, ANN, -1), (BOB, CAT, 0), (BOB, 99, 0)],
)
def test_what_nobody_sent_to_this_player_is_wrong(
    ledger: Ledger, receiver: int, sender: int, number: int
) -> None:
    ledger.send(ANN)

    assert not ledger.receive(receiver, sender, number)

    assert (ledger.tally().wrong, ledger.tally().delivered) == (1, 0)


def test_a_player_alone_is_heard_by_nobody() -> None:
    ledger = Ledger(players=1)
    ledger.enrol([0])
    ledger.send(0)

    assert ledger.tally().is_clean
    assert ledger.is_complete()


def test_remembered_gaps_are_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_GAPS", 3)
    for _ in range(10):
        ledger.send(ANN)
    ledger.receive(BOB, ANN, 9)

    late = [ledger.receive(BOB, ANN, number) for number in range(9)]

    assert late == [True] * 3 + [False] * 6
    assert (ledger.tally().reordered, ledger.tally().duplicated) == (3, 6)


def test_seeded_faults_are_found_to_the_last_one() -> None:
    random = Random(20)
    ledger = Ledger(players=3)
    ledger.enrol([0, 1, 2])
    lost = doubled = 0

    for _ in range(5000):
        sender = random.randrange(3)
        number = ledger.send(sender)
        for receiver in {0, 1, 2} - {sender}:
            copies = random.choices([1, 0, 2], [90, 5, 5])[0]
            lost += copies == 0
            doubled += copies == 2
            for _copy in range(copies):
                ledger.receive(receiver, sender, number)

    tally = ledger.tally()
    assert (tally.lost, tally.duplicated, tally.reordered, tally.wrong) == (lost, doubled, 0, 0)
    assert lost > 100
    assert doubled > 100
