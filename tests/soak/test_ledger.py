"""What members of a match must hear of each other, and what is held against whom."""

from dataclasses import astuple

from tests.soak.ledger import Counts, End, Ledger, Visit


def two(ledger: Ledger) -> tuple[Visit, Visit]:
    """Ada was there when bob came in; both know of each other."""
    ada = ledger.begin(1, "ada", [])
    bob = ledger.begin(2, "bob", ["ada"])
    ledger.joined(ada, "bob")
    return ada, bob


def test_all_in_order_is_clean() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)

    for number in range(3):
        assert ledger.send(ada) == number
        assert ledger.receive(bob, "ada", 1, number)

    assert ledger.counts == Counts(sent=3, delivered=3)
    assert ledger.lacking(bob, ledger.marks(bob)) == 0


def test_a_gap_is_missed_and_what_fills_it_later_is_out_of_order() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)
    for _ in range(3):
        ledger.send(ada)

    ledger.receive(bob, "ada", 1, 0)
    ledger.receive(bob, "ada", 1, 2)
    assert ledger.counts.missed == 1
    ledger.receive(bob, "ada", 1, 1)

    assert (ledger.counts.missed, ledger.counts.reordered) == (0, 1)


def test_the_same_again_is_a_duplicate() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)
    ledger.send(ada)

    assert ledger.receive(bob, "ada", 1, 0)
    assert not ledger.receive(bob, "ada", 1, 0)

    assert ledger.counts.duplicated == 1


def test_what_was_never_sent_or_is_anothers_is_foreign() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)
    ledger.send(ada)
    eve = ledger.begin(3, "eve", [])
    ledger.send(eve)

    ledger.receive(bob, "ada", 1, 5)
    ledger.receive(bob, "ada", 2, 0)
    ledger.receive(bob, "eve", 3, 0)
    ledger.receive(bob, "nobody", 3, 0)

    assert astuple(ledger.counts) == (2, 0, 0, 0, 0, 4)


def test_who_comes_later_need_not_hear_what_was_before_but_all_since() -> None:
    ledger = Ledger()
    ada = ledger.begin(1, "ada", [])
    for _ in range(5):
        ledger.send(ada)
    bob, cid = (ledger.begin(number, f"late-{number}", ["ada"]) for number in (2, 3))
    for _ in range(3):
        ledger.send(ada)

    ledger.receive(bob, "ada", 1, 4)
    assert ledger.counts.missed == 0
    ledger.receive(cid, "ada", 1, 7)

    assert ledger.counts.missed == 2


def test_who_was_there_first_hears_a_newcomer_from_the_beginning() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)
    ledger.send(bob)
    ledger.send(bob)

    ledger.receive(ada, "bob", 2, 1)

    assert ledger.counts.missed == 1


def test_what_came_before_a_close_must_be_heard_and_before_a_reset_need_not() -> None:
    for end, missed in ((End.CLOSED, 2), (End.ABORTED, 0)):
        ledger = Ledger()
        ada, bob = two(ledger)
        for _ in range(3):
            ledger.send(ada)
        ledger.receive(bob, "ada", 1, 0)
        marks = ledger.marks(bob)
        ledger.close(ada, end)

        assert ledger.lacking(bob, marks) == missed
        ledger.left(bob, "ada")

        assert ledger.counts.missed == missed
        assert ledger.lacking(bob, marks) == 0


def test_the_end_that_never_comes_is_lacking() -> None:
    ledger = Ledger()
    ada, bob = two(ledger)
    ledger.send(ada)

    assert ledger.lacking(bob, ledger.marks(bob)) == 1
