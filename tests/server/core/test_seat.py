"""One socket per player, under any interleaving."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from server.core.seat import Seat, Seats

USERS = st.sampled_from(["ann", "bob", "cyd"])


def test_the_first_socket_replaces_nobody() -> None:
    seat, replaced = Seats().claim("ann", "s1")

    assert seat.session_id == "s1"
    assert replaced is None


def test_a_newer_socket_replaces_the_older() -> None:
    seats = Seats()
    older, _ = seats.claim("ann", "s1")

    newer, replaced = seats.claim("ann", "s2")

    assert replaced == older
    assert seats.holder("ann") == newer


def test_the_late_close_of_a_replaced_socket_leaves_its_successor_alone() -> None:
    seats = Seats()
    older, _ = seats.claim("ann", "s1")
    newer, _ = seats.claim("ann", "s2")

    assert not seats.release("ann", older.generation)

    assert seats.holder("ann") == newer


def test_a_generation_is_never_used_again() -> None:
    seats = Seats()
    first, _ = seats.claim("ann", "s1")
    seats.release("ann", first.generation)

    second, _ = seats.claim("ann", "s2")

    assert second.generation > first.generation
    assert not seats.release("ann", first.generation)


class SeatMachine(RuleBasedStateMachine):
    """Sockets that connect in any order and close whenever they like, also twice and also long after."""

    sockets = Bundle("sockets")

    def __init__(self) -> None:
        super().__init__()
        self.seats = Seats()
        self.made = 0
        self.newest: dict[str, Seat] = {}
        """The model: the newest socket of each user, as long as it has not closed itself."""

    @rule(target=sockets, user=USERS)
    def connect(self, user: str) -> tuple[str, Seat]:
        self.made += 1
        seat, replaced = self.seats.claim(user, f"s{self.made}")
        assert replaced == self.newest.get(user)
        self.newest[user] = seat
        return user, seat

    @rule(user=USERS)
    def connect_two_in_one_turn(self, user: str) -> None:
        self.connect(user)
        first = self.newest[user]
        self.connect(user)
        assert self.newest[user].generation > first.generation

    @rule(socket=sockets)
    def close(self, socket: tuple[str, Seat]) -> None:
        user, seat = socket
        was_newest = self.newest.get(user) == seat
        assert self.seats.release(user, seat.generation) == was_newest
        if was_newest:
            del self.newest[user]

    @rule(socket=consumes(sockets))
    def close_for_good(self, socket: tuple[str, Seat]) -> None:
        self.close(socket)

    @invariant()
    def exactly_the_newest_holds_the_seat(self) -> None:
        assert {user: self.seats.holder(user) for user in self.newest} == self.newest
        assert len(self.seats) == len(self.newest)


SeatMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestSeatMachine = SeatMachine.TestCase
