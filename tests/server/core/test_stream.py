"""Streams for game code: who is on them, who hears what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import Stream as StreamName
from protocol.messages import StreamData, StreamPresenceEvent, UserPresence
from server.core.presence import Presences
from server.core.stream import MAX_LABEL_BYTES, RESERVED_MODES, StreamError, Streams, custom_stream
from server.effects import Deliver, Effects, Stream
from tests.support.players import ALICE, BOB, CAROL, NEW_ID

LOBBY = custom_stream(123, NEW_ID, label="lobby")
OTHER = custom_stream(124)
NAME = StreamName(mode=123, subject=NEW_ID, label="lobby")
PLAYERS = {player.session_id: player for player in (ALICE, BOB, CAROL)}


def made(limit: int = 10) -> tuple[Streams, Presences]:
    presences = Presences()
    return Streams(presences, PLAYERS.get, limit), presences


def shown(player: UserPresence, *, persistence: bool = True) -> UserPresence:
    return UserPresence(
        user_id=player.user_id,
        session_id=player.session_id,
        username=player.username,
        persistence=persistence,
    )


def joins(*players: UserPresence) -> Effects:
    return [Deliver(LOBBY, StreamPresenceEvent(stream=NAME, joins=tuple(map(shown, players))))]


def leaves(*players: UserPresence) -> Effects:
    return [Deliver(LOBBY, StreamPresenceEvent(stream=NAME, leaves=tuple(map(shown, players))))]


@pytest.mark.parametrize("mode", [*RESERVED_MODES, -1, 2**31])
def test_a_mode_of_the_server_is_refused(mode: int) -> None:
    with pytest.raises(StreamError):
        custom_stream(mode)


@pytest.mark.parametrize("mode", RESERVED_MODES)
def test_a_stream_of_the_server_is_refused_however_it_was_made(mode: int) -> None:
    streams, _ = made()
    stream = Stream(mode, NEW_ID)

    for use in (
        lambda: streams.join(stream, ALICE.session_id),
        lambda: streams.update(stream, ALICE.session_id, hidden=False, persistence=False),
        lambda: streams.leave(stream, ALICE.session_id),
        lambda: streams.members(stream),
        lambda: streams.count(stream),
        lambda: streams.send(stream, "x"),
        lambda: streams.end(stream),
    ):
        with pytest.raises(StreamError):
            use()


@pytest.mark.parametrize(
    ("subject", "subcontext", "label"),
    [
        ("x", "", ""),
        ("", "x", ""),
        ("", "", "l" * (MAX_LABEL_BYTES + 1)),
        ("", "", "ü" * MAX_LABEL_BYTES),
        ("", "", "\ud800"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(subject: str, subcontext: str, label: str) -> None:
    with pytest.raises(StreamError):
        custom_stream(8, subject, subcontext, label)


def test_ids_of_a_name_are_canonical() -> None:
    assert custom_stream(8, NEW_ID.upper(), NEW_ID.replace("-", "")) == Stream(8, NEW_ID, NEW_ID)
    assert custom_stream(2**31 - 1, label="l" * MAX_LABEL_BYTES).label


def test_who_joins_is_told_to_all_and_to_themselves() -> None:
    streams, presences = made()

    assert streams.join(LOBBY, ALICE.session_id) == joins(ALICE)
    assert streams.join(LOBBY, BOB.session_id) == joins(BOB)
    assert streams.members(LOBBY) == [shown(ALICE), shown(BOB)]
    assert presences.receivers(LOBBY) == (ALICE.session_id, BOB.session_id)


def test_joining_twice_changes_nothing() -> None:
    streams, _ = made()
    streams.join(LOBBY, ALICE.session_id)

    assert streams.join(LOBBY, ALICE.session_id, hidden=True, persistence=False) == []
    assert streams.members(LOBBY) == [shown(ALICE)]


def test_a_session_that_is_not_open_cannot_join() -> None:
    streams, presences = made()

    with pytest.raises(StreamError, match="not open"):
        streams.join(LOBBY, "gone")
    assert len(streams) == len(presences) == 0


def test_a_session_is_on_so_many_streams_and_no_more() -> None:
    streams, _ = made(limit=1)
    streams.join(LOBBY, ALICE.session_id)

    with pytest.raises(StreamError, match="more than 1"):
        streams.join(OTHER, ALICE.session_id)

    streams.leave(LOBBY, ALICE.session_id)
    streams.join(OTHER, ALICE.session_id)
    assert len(streams) == 1


def test_who_leaves_is_told_to_those_who_stay() -> None:
    streams, presences = made()
    streams.join(LOBBY, ALICE.session_id)
    streams.join(LOBBY, BOB.session_id)

    assert streams.leave(LOBBY, ALICE.session_id) == leaves(ALICE)
    assert presences.receivers(LOBBY) == (BOB.session_id,)
    assert streams.leave(LOBBY, ALICE.session_id) == []
    assert streams.leave(OTHER, BOB.session_id) == []


def test_hidden_presences_hear_and_count_but_are_never_told_of() -> None:
    streams, presences = made()
    streams.join(LOBBY, BOB.session_id)

    assert streams.join(LOBBY, ALICE.session_id, hidden=True) == []
    assert streams.members(LOBBY) == [shown(BOB)]
    assert streams.members(LOBBY, hidden=True) == [shown(BOB), shown(ALICE)]
    assert streams.count(LOBBY) == 2
    assert ALICE.session_id in presences.receivers(LOBBY)
    assert streams.leave(LOBBY, ALICE.session_id) == []


def test_a_change_is_told_as_what_others_see_of_it() -> None:
    streams, _ = made()
    streams.join(LOBBY, ALICE.session_id, hidden=True)
    session = ALICE.session_id

    assert streams.update(LOBBY, session, hidden=True, persistence=True) == []
    assert streams.update(LOBBY, session, hidden=False, persistence=True) == joins(ALICE)
    assert streams.update(LOBBY, session, hidden=False, persistence=True) == []
    assert streams.update(LOBBY, session, hidden=False, persistence=False) == [
        Deliver(
            LOBBY,
            StreamPresenceEvent(
                stream=NAME, joins=(shown(ALICE, persistence=False),), leaves=(shown(ALICE),)
            ),
        )
    ]
    with pytest.raises(StreamError, match="not on the stream"):
        streams.update(LOBBY, BOB.session_id, hidden=False, persistence=False)


def test_data_goes_to_all_or_to_those_named_who_are_there() -> None:
    streams, _ = made()
    streams.join(LOBBY, ALICE.session_id)
    streams.join(LOBBY, BOB.session_id, hidden=True)
    data = StreamData(stream=NAME, data="hi", reliable=False)

    assert streams.send(LOBBY, "hi", reliable=False) == [Deliver(LOBBY, data)]
    assert streams.send(
        LOBBY, "hi", to=[BOB.session_id, CAROL.session_id, BOB.session_id], reliable=False
    ) == [Deliver((BOB.session_id,), data)]
    assert streams.send(LOBBY, "hi", to=[], reliable=False) == [Deliver((), data)]


def test_what_cannot_be_written_is_not_sent() -> None:
    streams, _ = made()

    with pytest.raises(StreamError, match="surrogates"):
        streams.send(LOBBY, "a\ud800")


def test_the_end_of_a_stream_is_told_to_nobody() -> None:
    streams, presences = made()
    for player in PLAYERS:
        streams.join(LOBBY, player)

    streams.end(LOBBY)

    assert streams.members(LOBBY, hidden=True) == []
    assert len(streams) == len(presences) == 0
    assert streams.close(ALICE) == []


def test_streams_die_with_their_sessions() -> None:
    streams, presences = made()
    streams.join(LOBBY, ALICE.session_id)
    streams.join(OTHER, ALICE.session_id, hidden=True)
    streams.join(LOBBY, BOB.session_id)

    assert streams.close(ALICE) == leaves(ALICE)
    assert streams.close(ALICE) == []
    assert (len(streams), len(presences)) == (1, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["join", "hide", "leave", "close", "end"]), st.sampled_from(sorted(PLAYERS))
        )
    )
)
def test_what_is_told_adds_up_to_who_is_there(acts: list[tuple[str, str]]) -> None:
    streams, presences = made()
    seen: list[UserPresence] = []
    for act, session in acts:
        effects: Effects = []
        match act:
            case "join":
                effects = streams.join(LOBBY, session)
            case "hide":
                effects = streams.join(LOBBY, session, hidden=True)
            case "leave":
                effects = streams.leave(LOBBY, session)
            case "close":
                effects = streams.close(PLAYERS[session])
            case _:
                streams.end(LOBBY)
                seen = []
        for effect in effects:
            assert isinstance(effect, Deliver)
            assert isinstance(effect.message, StreamPresenceEvent)
            for gone in effect.message.leaves:
                seen.remove(gone)
            seen += effect.message.joins

        assert seen == streams.members(LOBBY)
        assert streams.count(LOBBY) == len(streams) == len(presences)
