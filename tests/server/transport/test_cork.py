"""One flush per connection and turn."""

from collections.abc import Callable

from server.transport.cork import TURNS_AT_ONCE, Cork


class Socket:
    def __init__(self, cork: Cork) -> None:
        self.flushes = 0
        self._cork = cork
        self.again = False

    def flush(self) -> None:
        self.flushes += 1
        if self.again:
            self.again = False
            self._cork.add(self)


def test_all_connections_of_a_turn_are_flushed_by_one_call() -> None:
    soon: list[Callable[[], None]] = []
    cork = Cork(soon.append)
    sockets = [Socket(cork) for _ in range(3)]

    for socket in sockets:
        cork.add(socket)
    assert len(soon) == 1
    soon.pop()()

    assert [socket.flushes for socket in sockets] == [1, 1, 1]


def test_what_is_added_during_a_flush_waits_for_the_next_turn() -> None:
    soon: list[Callable[[], None]] = []
    cork = Cork(soon.append)
    socket = Socket(cork)
    socket.again = True

    cork.add(socket)
    soon.pop()()
    assert socket.flushes == 1
    soon.pop()()

    assert socket.flushes == 2


def test_a_call_can_wait_for_the_others_turn() -> None:
    soon: list[Callable[[], None]] = []
    called: list[str] = []

    Cork(soon.append).soon(lambda: called.append("now"))

    assert called == []
    soon.pop()()
    assert called == ["now"]


def test_with_a_pause_all_that_is_written_within_it_is_gathered() -> None:
    soon: list[Callable[[], None]] = []
    later: list[Callable[[], None]] = []
    cork = Cork(soon.append, later.append)
    first, second = Socket(cork), Socket(cork)

    cork.add(first)
    cork.add(second)
    assert (len(soon), len(later)) == (0, 1)
    later.pop()()

    assert (first.flushes, second.flushes) == (1, 1)
    cork.add(first)
    assert len(later) == 1


def test_of_many_that_wait_for_a_turn_a_few_have_it_at_a_time() -> None:
    soon: list[Callable[[], None]] = []
    called: list[int] = []
    cork = Cork(soon.append)

    def greedy() -> None:
        called.append(-1)
        cork.soon(greedy)

    cork.soon(greedy)
    for number in range(TURNS_AT_ONCE + 1):
        cork.soon(lambda number=number: called.append(number))  # type: ignore[misc]  # a default binds it
    assert len(soon) == 1
    soon.pop()()
    assert called == [-1, 0, 1, 2]
    assert len(soon) == 1
    soon.pop()()

    assert called == [-1, 0, 1, 2, 3, 4, -1]
    assert len(soon) == 1
