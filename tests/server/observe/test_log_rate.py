"""One line in a while."""

from server.observe.log_rate import LogRate


def test_the_first_line_may_be_written_and_the_next_after_a_while() -> None:
    rate = LogRate(1.0)

    assert rate.untold(100.0) == 0
    assert rate.untold(100.9) is None
    assert rate.untold(101.0) == 1


def test_a_line_says_how_many_were_kept_back_before_it() -> None:
    rate = LogRate(1.0)

    told = [rate.untold(100 + tenth / 10) for tenth in range(25)]

    assert [each for each in told if each is not None] == [0, 9, 9]


def test_after_a_quiet_time_nothing_was_kept_back() -> None:
    rate = LogRate(1.0)

    rate.untold(100.0)

    assert rate.untold(500.0) == 0
