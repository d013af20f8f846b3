"""The list of closes as a whole: each fits into a close frame, and its code keeps the promise it makes."""

import pytest

from protocol.close import CloseReason

RESERVED = {1004, 1005, 1006, 1015}


@pytest.mark.parametrize("reason", CloseReason)
def test_a_reason_fits_into_a_close_frame(reason: CloseReason) -> None:
    # RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code.
    assert len(reason.text.encode()) <= 123
    assert 1000 <= reason.code <= 4999
    assert reason.code not in RESERVED


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason.code >= 4000])
def test_our_own_codes_say_by_their_range_whether_to_come_back(reason: CloseReason) -> None:
    assert reason.reconnect is (reason.code < 4500)


def test_no_two_entries_are_the_same_close() -> None:
    # Enum would make the second of two equal entries an alias, without a word.
    assert len(CloseReason.__members__) == len(CloseReason)
