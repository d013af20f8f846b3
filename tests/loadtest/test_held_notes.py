"""Notes that wait: in order, bounded, and their sums whole."""

import pytest

from loadtest.held_notes import MOST_SAMPLES, MOST_TOLD, HeldNotes, added, together
from loadtest.histogram import values
from loadtest.notes import Batch, Done, Note, Ready, Sample, Told
from loadtest.result import Truth
from tests.support.fake_worker import encoded, sample


def taken(held: HeldNotes) -> list[Note]:
    return [held.take() for _ in range(len(held))]


def test_what_was_put_first_comes_first() -> None:
    held = HeldNotes()
    notes: list[Note] = [Ready(), sample(1), Told(1, "ramp"), sample(2), Done(0, 2, False)]

    for note in notes:
        held.put(note)

    assert taken(held) == notes


def test_samples_beyond_the_bound_are_added_to_the_last() -> None:
    held = HeldNotes()

    for second in range(1, MOST_SAMPLES + 11):
        held.put(sample(second))

    notes = [note for note in taken(held) if isinstance(note, Sample)]
    assert [note.at_s for note in notes] == [*range(1, MOST_SAMPLES), MOST_SAMPLES + 10]
    assert notes[-1].counts == {"sent": 110}


def test_room_that_was_made_is_used_again() -> None:
    held = HeldNotes()
    for _ in range(3):
        for second in range(MOST_SAMPLES):
            held.put(sample(second))
        assert len(taken(held)) == MOST_SAMPLES

    assert len(held) == 0


def test_marks_beyond_the_bound_are_dropped_and_the_end_is_not() -> None:
    held = HeldNotes()

    for number in range(2 * MOST_TOLD):
        held.put(Told(number, "a mark"))
    held.put(Done(0, 1, False))

    notes = taken(held)
    assert len(notes) == MOST_TOLD + 1
    assert isinstance(notes[-1], Done)


def test_two_samples_as_one_tell_what_both_told() -> None:
    first = sample(
        1, connected=3, most_connected=8, counts={"sent": 1}, errors={"gone": 1}, cpu_s=0.5, gc_max_ms=9
    )
    second = sample(
        2,
        connected=4,
        counts={"sent": 2, "arrived": 5},
        errors={},
        truth=Truth(sent=20),
        gc_max_ms=3,
        lag=encoded(7),
    )

    both = together(first, second)

    assert (both.at_s, both.connected, both.most_connected) == (2, 4, 8)
    assert both.truth == Truth(sent=20)
    assert (both.counts, both.errors) == ({"sent": 3, "arrived": 5}, {"gone": 1})
    assert (both.cpu_s, both.gc_max_ms) == (0.75, 9)
    assert values(both.lag) == [(1000, 1), (7003, 1)]


def test_warm_up_stays_apart_when_samples_are_added_up() -> None:
    warm = Batch(response=encoded(1), service=encoded(1), warm_up=True)
    timed = Batch(response=encoded(2), service=encoded(2))
    first = sample(1, timings={"echo": [warm], "join": [warm]})
    second = sample(2, timings={"echo": [timed, warm]})

    both = together(first, second).timings

    assert [(batch.warm_up, values(batch.response)) for batch in both["echo"]] == [
        (False, [(2000, 1)]),
        (True, [(1000, 2)]),
    ]
    assert [batch.warm_up for batch in both["join"]] == [True]


def test_no_histogram_at_all_adds_up_to_none() -> None:
    assert added() == added("", "") == ""
    with pytest.raises(ValueError, match="no histogram"):
        added("x")
