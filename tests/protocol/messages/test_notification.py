"""Notifications, as the contract has them."""

from datetime import UTC, datetime

import pytest

from protocol.envelope import Envelope, decode_server, encode
from protocol.message import Message
from protocol.messages import notification
from protocol.messages.notification import Notification, Notifications
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(notification))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_times_are_in_utc() -> None:
    news = Notification(id="n", code=-7, create_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    written = encode(Envelope(Notifications(notifications=(news,))))

    assert b'"code":-7,"create_time":"2026-01-02T03:04:05Z"' in written
    assert decode_server(written).message == Notifications(notifications=(news,))
