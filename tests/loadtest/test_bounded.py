"""The first names are known; what comes later is something other."""

from loadtest.bounded import LONGEST_NAME, Names


def test_names_beyond_the_bound_are_counted_together() -> None:
    names = Names(2)

    first = names.renamed({"a": 1, "b": 2, "c": 3, "d": 4})
    second = names.renamed({"d": 1, "a": 1})

    assert first == {"a": 1, "b": 2, "other": 7}
    assert second == {"other": 1, "a": 1}


def test_a_long_name_is_cut_and_counts_with_its_like() -> None:
    names = Names(5)

    counted = names.renamed({"x" * 1000: 1, "x" * 2000: 2})

    assert counted == {"x" * LONGEST_NAME: 3}
