"""What all sockets share, and how one is made: keepalive, rates, and budgets for those who read slowly."""

import asyncio
from dataclasses import dataclass
from functools import partial

from protocol.envelope import Format
from protocol.messages import UserPresence
from server.clock import Clock
from server.identity.tokens import SessionClaims
from server.sections import SocketSettings
from server.sessions.allowance import Allowance, Rates
from server.sessions.outbox import Outbox
from server.sessions.session import Owner, Session
from server.sessions.slow_receivers import SlowReceivers
from server.transport.compressed import Compressed
from server.transport.compression import Agreed, Deflater, negotiate
from server.transport.cork import Cork
from server.transport.keepalive import Keepalive
from server.transport.round_trips import RoundTrips
from server.transport.websocket import WebSocket


@dataclass(frozen=True, slots=True)
class Terms:
    """What a client connects with."""

    claims: SessionClaims
    form: Format
    agreed: Agreed | None = None
    """The compression that was agreed on, if any."""
    address: str = ""
    lang: str = ""


class Sockets:
    """Have `sweep` called every `interval_s` seconds."""

    def __init__(self, settings: SocketSettings, clock: Clock, round_trips: RoundTrips) -> None:
        self._settings = settings
        self._clock = clock
        self.keepalive = Keepalive.configured(settings, round_trips)
        self.interval_s = self.keepalive.interval_s
        self.slow = SlowReceivers(max_age_s=settings.outgoing_age_s, max_bytes=settings.outgoing_total_bytes)
        self._rates = Rates(
            clock.monotonic,
            messages_per_s=settings.messages_per_s,
            messages_burst=settings.messages_burst,
            bytes_per_s=settings.bytes_per_s,
            bytes_burst=settings.bytes_burst,
        )
        self._cork: Cork | None = None
        self.deflater = Deflater(settings.compression_min_bytes)
        """Compresses for the sockets that have agreed on it."""

    def agree(self, offers: str) -> Agreed | None:
        """The compression to be used, if any is. Raises ValueError for offers that are malformed."""
        return negotiate(offers) if self._settings.compression else None

    def make(
        self,
        owner: Owner,
        me: UserPresence,
        terms: Terms,
    ) -> tuple[Session, WebSocket]:
        """A session with its socket, which has no connection yet."""
        claims = terms.claims
        session = Session(
            me,
            claims.family_id,
            owner,
            Outbox(me.session_id, terms.form, self._settings.outgoing_limit_bytes, self.slow),
            Allowance(self._rates),
            opened_at=self._clock.monotonic(),
            token_exp=claims.expires_at,
            form=terms.form,
            session_vars=claims.vars,
            address=terms.address,
            lang=terms.lang,
        )
        socket = self.connect(session, terms)
        session.attach(socket)
        return session, socket

    def connect(self, session: Session, terms: Terms) -> WebSocket:
        """A socket for a session, which has no connection yet."""
        settings = self._settings
        outgoing = session.outbox if terms.agreed is None else Compressed(session.outbox, self.deflater)
        return WebSocket(
            session,
            outgoing,
            self._the_cork(),
            self.keepalive,
            max_message_bytes=settings.max_message_bytes,
            max_fragments=settings.max_fragments,
            agreed=terms.agreed,
        )

    def sweep(self) -> None:
        """Look at every socket once."""
        self.keepalive.sweep(self._clock.monotonic())
        self.slow.sweep(self.keepalive.now)

    def _the_cork(self) -> Cork:
        if self._cork is None:
            loop, pause_ms = asyncio.get_running_loop(), self._settings.flush_interval_ms
            later = partial(loop.call_later, pause_ms / 1000) if pause_ms else None
            self._cork = Cork(loop.call_soon, later)
        return self._cork
